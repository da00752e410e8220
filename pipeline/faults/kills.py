"""Random kills: Terraform, the AWS account, or both die with SIGKILL at a random moment."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipeline.faults import processes
from pipeline.faults.case import Case, Moment, References
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, DOWN, FOUNDATION, SECOND, Stage

TERRAFORM, ACCOUNT = "Terraform", "AWS"
VICTIMS = ((TERRAFORM,), (ACCOUNT,), (TERRAFORM, ACCOUNT))
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
        command = lab.start(*self.stage.command)
        if not self.moment.wait(command, references(self.stage)):
            return f"(ended before the kill) {command.message}"
        if TERRAFORM in self.victims:
            command.wait_until(lambda: bool(_terraform(lab)))
        running = _terraform(lab)
        if ACCOUNT in self.victims:
            lab.proxy.refuse()
            lab.account.kill()
        if TERRAFORM in self.victims:
            processes.kill(running)
        command.wait()
        return command.message


def _terraform(lab: Lab) -> list[processes.Process]:
    return [found for found in processes.of(lab.work) if found.is_terraform]


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
