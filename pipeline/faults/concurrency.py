"""Two commands at once: in one checkout, and in two."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.faults.case import Case, References, Unexpected, require
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, DOWN, FOUNDATION, UP


@dataclass(frozen=True, kw_only=True)
class Twins(Case):
    """The same command twice at once. One must succeed; the other, too, or it says which command still runs.

    checkouts: 1 or 2.
    """

    checkouts: int

    def disturb(self, lab: Lab, references: References) -> str:
        other = lab.copy_checkout("second") if self.checkouts > 1 else None
        commands = [lab.start(*self.stage.command), lab.start(*self.stage.command, checkout=other)]
        failed = [command for command in commands if command.wait()]
        if not failed:
            return "(both succeed)"
        if len(failed) == len(commands):
            raise Unexpected(f"Both failed: {failed[0].message}; {failed[1].message}")
        return require(failed[0], fails=True, words="which still runs")


def cases() -> list[Case]:
    """Return every pair."""
    return [
        Twins(fault="two at once in one checkout", stage=UP, start=FOUNDATION, end=DEPLOY, checkouts=1),
        Twins(fault="two at once in two checkouts", stage=UP, start=FOUNDATION, end=DEPLOY, checkouts=2),
        Twins(fault="two at once in two checkouts", stage=DOWN, start=DEPLOY, checkouts=2),
    ]
