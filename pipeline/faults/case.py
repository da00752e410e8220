"""A case: one fault in one stage, and what happened."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from ops.errors import OperatorError
from pipeline.faults.command import Command
from pipeline.faults.inventory import Inventory, differences, take
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DOWN, Stage, before

NOTHING, SUCCEEDS = "nothing", "succeeds"


@dataclass(frozen=True)
class Reference:
    """An undisturbed run of a stage.

    seconds: its duration.
    steps: changes that Terraform made.
    inventory: what the account holds after it.
    """

    seconds: float
    steps: int
    inventory: Inventory


References = Callable[[Stage], Reference]
"""Returns the undisturbed run of a stage."""


@dataclass(frozen=True)
class Moment:
    """When a command is disturbed.

    share: of its undisturbed duration or steps, from 0 to 1.
    by_steps: count Terraform's changes, not seconds.
    """

    share: float
    by_steps: bool = False

    def wait(self, command: Command, reference: Reference) -> bool:
        """Wait for the moment. Return False if the command ended before it."""
        if self.by_steps:
            step = 1 + int(self.share * (reference.steps - 1))
            return command.wait_until(lambda: command.terraform_steps() >= step)
        end = time.monotonic() + self.share * reference.seconds
        return command.wait_until(lambda: time.monotonic() >= end)


class Unexpected(OperatorError):
    """The disturbed command did not do what the case requires of it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault in one stage. Subclasses implement `disturb`, and override the rest where they differ.

    fault, stage: for the table.
    start: the stage whose end is the start of the case; by default the one before.
    end: the stage whose undisturbed end the account must have after the next run; by default the case's own.
    """

    fault: str
    stage: Stage
    start: Stage | None = None
    end: Stage | None = None

    @property
    def first(self) -> Stage | None:
        """The stage whose end is the start of the case; None for an empty account."""
        return self.start or before(self.stage)

    @property
    def last(self) -> Stage:
        """The stage whose undisturbed end the account must have after the next run."""
        return self.end or self.stage

    @property
    def removes(self) -> bool:
        """Whether the disturbed command may delete data and models."""
        return self.stage == DOWN

    def disturb(self, lab: Lab, references: References) -> str:
        """Run the stage with the fault. Return the message that the operator sees. Raises Unexpected."""
        raise NotImplementedError

    def repair(self, lab: Lab) -> None:
        """End the fault itself; the effects stay."""
        lab.heal()

    def again(self, lab: Lab) -> Command:
        """Run what the message says, or the same command once more."""
        return lab.run(*self.stage.command)

    def problems(self, lab: Lab, references: References) -> list[str]:
        """Return what is missing, extra or different after the next run."""
        found = differences(references(self.last).inventory, take(lab.env))
        for words in self.last.plans:
            planned = lab.run(*words)
            if planned.wait() or any(planned.json.values()):
                found.append(f"`./inv {' '.join(words)}` is not empty: {json.dumps(planned.json)[:300]}")
        return found


def require(command: Command, *, fails: bool, words: str = "") -> str:
    """Return the message of a command that ended as required. Raises Unexpected.

    fails: whether it must fail, without a traceback.
    words: regular expression that its output must match.
    """
    code = command.wait()
    if bool(code) != fails:
        raise Unexpected(f"{command.title} ended with {code}: {command.message} ({command.output})")
    if "Traceback (most recent" in command.text:
        raise Unexpected(f"{command.title} printed a traceback: {command.message} ({command.output})")
    if not re.search(words, command.text):
        raise Unexpected(f"{command.title} does not say {words!r}: {command.message} ({command.output})")
    return command.message


@dataclass(frozen=True)
class Row:
    """A row of the table.

    lost: "nothing", or what was lost, is missing, extra or different after the next run.
    next_run: "succeeds", or how it fails.
    message: of the disturbed command.
    seconds: duration of the case.
    """

    fault: str
    stage: str
    lost: str
    next_run: str
    message: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.lost == NOTHING and self.next_run == SUCCEEDS
