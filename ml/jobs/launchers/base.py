"""What a launcher is given, what it gives back, and what it can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ml.jobs import job_inputs as program
from ml.jobs import search as tune
from ml.jobs.data import Manifest
from ops.outputs import Foundation
from ops.settings import Settings

Tell = Callable[[str], None]


class TellStatus(Protocol):
    """Shows a text in place of the one before; an important one stays."""

    def __call__(self, text: str, important: bool = False) -> None: ...


@dataclass(frozen=True)
class Training:
    """What is to be trained: the same wherever it runs. instances: how many machines train together."""

    settings: Settings
    foundation: Foundation
    manifest: Manifest
    source: program.Source
    tuned: tune.Result
    instances: int

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The training program's command line: what was tuned beside what was not."""
        tuned = {k: v for k, v in self.tuned.hyperparameters.items() if not k.startswith("_")}
        return {**program.hyperparameters(self.settings, self.settings.training.epochs), **tuned}

    def lineage(self, name: str, launcher: str) -> dict[str, str]:
        """Where a model comes from, as the registry keeps it."""
        return {
            "data_hash": self.manifest.hash,
            "dataset": self.manifest.dataset,
            "tuning_job": self.tuned.tuning_job,
            "training_job": name,
            "source": self.source.digest[:16],
            "git_commit": program.git_commit(),
            "architecture": self.settings.model.architecture,
            "instance_count": str(self.instances),
            "launcher": launcher,
        }


@dataclass(frozen=True)
class Outcome:
    """A job that has succeeded. artifact: s3:// of the model.tar.gz. metrics: last values by name. seconds: of the
    training, its data's way included; billable_seconds: that the machines are paid for. took: the same for the registry.
    """

    artifact: str
    metrics: dict[str, float]
    seconds: float
    billable_seconds: float
    took: dict[str, str] = field(default_factory=dict)


class Launcher(Protocol):
    """Runs training jobs by name. name: as --on takes it."""

    name: str

    def stem(self, training: Training) -> str:
        """What the names of such jobs start with."""

    def check(self, training: Training) -> None:
        """Raise OperatorError if it could not run such a training, before anything is made."""

    def parts(self, training: Training) -> dict[str, Any]:
        """What, beside data, program and hyperparameters, decides the result: another value, another job."""

    def describe(self, name: str) -> dict[str, Any] | None:
        """As `names.attempt` wants it. A job that a next machine is to go on with is InProgress."""

    def run(self, training: Training, name: str, on_status: TellStatus, on_line: Tell) -> Outcome:
        """Begin a job, or go on with it, and follow it to its end. Raises OperatorError if it fails."""

    def outcome(self, name: str) -> Outcome:
        """Of a job that has succeeded before."""
