"""Two commands at once: in one checkout, and in two."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.faults.case import Case, References, require
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, DOWN, FOUNDATION, UP


@dataclass(frozen=True, kw_only=True)
class Twins(Case):
    """The same command twice at once; both must succeed. checkouts: 1 or 2."""

    checkouts: int

    def disturb(self, lab: Lab, references: References) -> str:
        other = lab.copy_checkout("second") if self.checkouts > 1 else None
        commands = [lab.start(*self.stage.command), lab.start(*self.stage.command, checkout=other)]
        for command in commands:
            require(command, fails=False)
        return "(both succeed)"


def cases() -> list[Case]:
    """Return every pair."""
    return [
        Twins(fault="two at once in one checkout", stage=UP, start=FOUNDATION, end=DEPLOY, checkouts=1),
        Twins(fault="two at once in two checkouts", stage=UP, start=FOUNDATION, end=DEPLOY, checkouts=2),
        Twins(fault="two at once in two checkouts", stage=DOWN, start=DEPLOY, checkouts=2),
    ]
