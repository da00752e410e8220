"""Faults of what jobs and stacks leave for the next stage: corrupt objects and parameters, a trial that dies."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.faults import processes
from pipeline.faults.case import Case, References, require
from pipeline.faults.command import Command
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DATA, DEPLOY, FOUNDATION, PREDICT, TRAIN, TUNE, Stage

_GARBAGE = '{"dataset": ['


@dataclass(frozen=True, kw_only=True)
class Corrupt(Case):
    """An object or parameter holds garbage. The message names it and the command that rebuilds it.

    key: of the object in the data bucket, or the name of the parameter below the environment's path.
    rebuild: the stage whose command the message must name.
    """

    key: str
    rebuild: Stage

    def disturb(self, lab: Lab, references: References) -> str:
        self.corrupt(lab)
        command = f"./inv {' '.join(self.rebuild.command)}"
        return require(lab.start(*self.stage.command), fails=True, words=f"(?s){self.key}.*{command}")

    def corrupt(self, lab: Lab) -> None:
        """Write the garbage."""
        lab.env.client("s3").put_object(Bucket=lab.env.data_bucket, Key=self.key, Body=_GARBAGE.encode())

    def again(self, lab: Lab) -> Command:
        rebuilt = lab.run(*self.rebuild.command)
        return rebuilt if rebuilt.wait() else lab.run(*self.stage.command)


class CorruptParameter(Corrupt):
    """A parameter holds garbage."""

    def corrupt(self, lab: Lab) -> None:
        settings = lab.settings
        name = f"/{settings.project}/{settings.environment}/{self.key}"
        lab.env.client("ssm").put_parameter(Name=name, Value=_GARBAGE, Overwrite=True)


@dataclass(frozen=True, kw_only=True)
class DeadTrial(Case):
    """The program of the first trial is killed. The search itself must succeed, and report the trial."""

    def disturb(self, lab: Lab, references: References) -> str:
        command = lab.start(*self.stage.command)
        place = str(lab.account.home / "training")
        killed = command.wait_until(lambda: bool(processes.mentioning(place, "train.py")))
        processes.kill(processes.mentioning(place, "train.py") if killed else [])
        return require(command, fails=False, words="(?i)failed")


def cases() -> list[Case]:
    """Return every fault of the records."""
    return [
        Corrupt(
            fault="the pointer to the data set is corrupt",
            stage=TUNE,
            key="datasets/current.json",
            rebuild=DATA,
        ),
        Corrupt(fault="the tuning result is corrupt", stage=TRAIN, key="results/tuning.json", rebuild=TUNE),
        CorruptParameter(
            fault="the foundation's outputs are corrupt", stage=DATA, key="foundation", rebuild=FOUNDATION
        ),
        CorruptParameter(
            fault="the endpoint's outputs are corrupt",
            stage=PREDICT,
            start=DEPLOY,
            end=DEPLOY,
            key="serving/image-classifier-faults",
            rebuild=DEPLOY,
        ),
        DeadTrial(fault="kill -9 of a trial", stage=TUNE),
    ]
