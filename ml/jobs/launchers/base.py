"""The launcher interface: what a training job is given, what it returns, and how it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ml.jobs import compatibility, job_inputs
from ml.jobs.data import Manifest
from ml.jobs.search import SearchResult
from ops.environment import Environment

OnLine = Callable[[str], None]
TRAIN, FIND_LR = "train", "find-lr"  # tasks of the training program


class OnStatus(Protocol):
    """Shows a status in place of the one before; an important one stays visible."""

    def __call__(self, text: str, important: bool = False) -> None: ...


@dataclass(frozen=True)
class Training:
    """The inputs of a training job, the same for every launcher.

    manifest: the data set.
    source: the training program in S3.
    tuned: the search whose hyperparameters are used.
    instances: how many machines train together.
    task: TRAIN, whose model is registered, or FIND_LR, which makes none.
    """

    env: Environment
    manifest: Manifest
    source: job_inputs.Source
    tuned: SearchResult
    instances: int
    task: str = TRAIN

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The training program's arguments: fixed and tuned hyperparameters."""
        settings = self.env.settings
        tuned = {k: v for k, v in self.tuned.hyperparameters.items() if not k.startswith("_")}
        fixed = job_inputs.hyperparameters(settings, settings.training.epochs, self.manifest)
        # A model is what the program makes by default.
        return {**fixed, **tuned, **({} if self.task == TRAIN else {"task": self.task})}

    def lineage(self, name: str, launcher: str) -> dict[str, str]:
        """Return where the model of job `name` comes from, as the model registry stores it."""
        return {
            **compatibility.lineage(self.manifest),
            "tuning_job": self.tuned.tuning_job,
            "training_job": name,
            "source": self.source.digest[:16],
            "git_commit": job_inputs.git_commit(),
            "architecture": self.env.settings.model.architecture,
            "instance_count": str(self.instances),
            "launcher": launcher,
        }


@dataclass(frozen=True)
class Outcome:
    """The result of a training job that succeeded.

    artifact: s3:// URI of the model.tar.gz.
    metrics: the last value of each metric.
    seconds: of training, including the time to load the data.
    billable_seconds: of all machines together.
    run_stats: machines and seconds as text, for the model registry.
    """

    artifact: str
    metrics: dict[str, float]
    seconds: float
    billable_seconds: float
    run_stats: dict[str, str] = field(default_factory=dict)


class Launcher(Protocol):
    """Runs training jobs on one kind of machine. name: its value of --on."""

    name: str

    def job_prefix(self, training: Training) -> str:
        """Return the start of the names of its jobs."""

    def check(self, training: Training) -> None:
        """Raise OperatorError if it cannot run such a training, before anything is created."""

    def fingerprint_inputs(self, training: Training) -> dict[str, Any]:
        """Return what decides the result besides data, program and hyperparameters: another value, another job."""

    def describe(self, name: str) -> dict[str, Any] | None:
        """Return the job's state for `names.attempt`. A job that another machine will resume is InProgress."""

    def run(self, training: Training, name: str, on_status: OnStatus, on_line: OnLine) -> Outcome:
        """Start or resume a job and follow it until it ends. Raises OperatorError if it fails."""

    def outcome(self, name: str) -> Outcome:
        """Return the result of a job that has succeeded."""
