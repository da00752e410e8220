"""Training with the tuned hyperparameters, wherever it runs, and the registration of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ml.jobs import data, names, registry
from ml.jobs import job_inputs as program
from ml.jobs import search as tune
from ml.jobs.launchers import Launcher, TellStatus, Training, create
from ops import outputs as handover
from ops.aws import acting_as, client
from ops.outputs import Foundation
from ops.settings import Settings


@dataclass(frozen=True)
class Result:
    """A trained and registered model. metrics: by name, e.g. "test:accuracy". seconds: of training; billable_seconds:
    that its machines are paid for."""

    training_job: str
    model: registry.Version
    metrics: dict[str, float]
    seconds: float
    billable_seconds: float


def run(
    settings: Settings,
    *,
    on: str = "sagemaker",
    launcher: Launcher | None = None,
    instances: int | None = None,
    again: bool = False,
    on_status: TellStatus = lambda text, important=False: None,
    on_line: Callable[[str], None] = lambda line: None,
) -> tuple[Result, bool]:
    """Train and register, or take up a job that is under way or done for the same inputs.

    on: "sagemaker", "ec2" or "here"; launcher: one of other settings instead. Returns the result and whether anything
    ran. Raises OperatorError if an earlier stage is missing or the job fails.
    """
    foundation = handover.foundation(settings)
    launcher = launcher or create(on, settings, foundation)
    training = _training(settings, foundation, launcher, instances)
    launcher.check(training)
    digest = program.fingerprint(
        data=training.manifest.hash,
        source=training.source.digest,
        hyperparameters=training.tuned.hyperparameters,
        model=settings.model.model_dump(),
        **launcher.parts(training),
    )
    name, job = names.attempt(launcher.stem(training), digest, launcher.describe, again=again)
    done = job is not None and job["status"] == "Completed"
    outcome = launcher.outcome(name) if done else launcher.run(training, name, on_status, on_line)
    version = registry.register(
        settings,
        foundation,
        training_job=name,
        artifact=outcome.artifact,
        metrics=outcome.metrics,
        lineage=training.lineage(name, launcher.name),
        took=outcome.took,
    )
    return Result(name, version, outcome.metrics, outcome.seconds, outcome.billable_seconds), not done


def _training(
    settings: Settings, foundation: Foundation, launcher: Launcher, instances: int | None
) -> Training:
    """What is to be trained. A host and this machine are one, whatever the environment says of SageMaker's."""
    usual = settings.training.instance_count if launcher.name == "sagemaker" else 1
    with acting_as(foundation.tuning_role_arn):
        manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
        tuned = tune.latest(settings, foundation)
        source = program.upload_source(settings, foundation)
    return Training(settings, foundation, manifest, source, tuned, usual if instances is None else instances)
