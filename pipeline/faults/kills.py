"""Random kills: Terraform, the AWS account, or both die with SIGKILL at a random moment."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import psutil

from pipeline.faults import processes
from pipeline.faults.case import Case, Moment, References, Unexpected
from pipeline.faults.command import Command
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, DOWN, FOUNDATION, SECOND, Stage

TERRAFORM, ACCOUNT = "Terraform", "AWS"
VICTIMS = ((TERRAFORM,), (ACCOUNT,), (TERRAFORM, ACCOUNT))
_TRIES = 4
STAGES = (FOUNDATION, DEPLOY, SECOND, DOWN)


@dataclass(frozen=True, kw_only=True)
class Kill(Case):
    """kill -9 of the victims.

    victims: TERRAFORM, ACCOUNT or both.
    moment: when.
    """

    victims: tuple[str, ...]
    moment: Moment

    def disturb(self, lab: Lab, references: References) -> str:
        moment = self.moment
        for _ in range(_TRIES):
            command = lab.start(*self.stage.command)
            if moment.wait(command, references(self.stage)):
                self._kill(lab, command)
                command.wait()
                return command.message
            # This run was faster than the undisturbed one.
            moment = replace(moment, share=moment.share / 2)
            lab.restore(self.first.name if self.first else "")
        raise Unexpected(f"{command.title} ended before every kill.")

    def _kill(self, lab: Lab, command: Command) -> None:
        if TERRAFORM in self.victims:
            command.wait_until(lambda: bool(_terraform(lab)))
        running = _terraform(lab)
        if ACCOUNT in self.victims:
            lab.proxy.refuse()
            lab.account.kill()
        if TERRAFORM in self.victims:
            processes.kill(running)


def _terraform(lab: Lab) -> list[psutil.Process]:
    return [found for found in processes.of(lab.work) if processes.is_terraform(found)]


def random_case(seed: int, stages: tuple[Stage, ...] = STAGES) -> Kill:
    """Return the case of a seed. Consecutive seeds take the stages in turn; the rest is random."""
    chance = random.Random(seed)
    victims = chance.choice(VICTIMS)
    return Kill(
        fault=f"kill -9 of {' and '.join(victims)}",
        stage=stages[seed % len(stages)],
        victims=victims,
        moment=Moment(chance.uniform(0.02, 0.98), by_steps=chance.random() < 0.5),
    )


def cases(seeds: int) -> list[Case]:
    """Return the cases of seeds 0 to `seeds` - 1."""
    return [random_case(seed) for seed in range(seeds)]
