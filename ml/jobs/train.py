"""The training job with the tuned hyperparameters, on one instance or several, and its registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ml.jobs import data, follow, handover, names, program, registry, tune
from ml.jobs.handover import Foundation
from ml.jobs.sdk import sdk
from ops.aws import acting_as, client, error_code, session
from ops.errors import OperatorError
from ops.settings import Settings


@dataclass(frozen=True)
class Result:
    """A trained and registered model. metrics: by name, e.g. "test:accuracy"; seconds: of training, billed."""

    training_job: str
    model: registry.Version
    metrics: dict[str, float]
    seconds: int


def run(
    settings: Settings,
    *,
    instances: int | None = None,
    again: bool = False,
    on_status: Callable[[str], None] = lambda status: None,
    on_line: Callable[[str], None] = lambda line: None,
) -> tuple[Result, bool]:
    """Train and register, or take up a job that is under way or done for the same inputs.

    Returns the result and whether anything ran. Raises OperatorError if an earlier stage is missing or the job fails.
    """
    foundation = handover.foundation(settings)
    with acting_as(foundation.tuning_role_arn):
        trained = _train(settings, foundation, instances, again, on_status, on_line)
    metrics = {m["MetricName"]: round(m["Value"], 6) for m in trained.job.get("FinalMetricDataList", [])}
    version = registry.register(
        settings, foundation, training_job=trained.name, metrics=metrics, lineage=trained.lineage,
        artifact=trained.job["ModelArtifacts"]["S3ModelArtifacts"],
    )  # fmt: skip
    seconds = trained.job.get("TrainingTimeInSeconds", 0)
    return Result(trained.name, version, metrics, seconds), trained.ran


@dataclass(frozen=True)
class _Trained:
    """A training job that has succeeded, and whether it ran now. job: as SageMaker describes it."""

    name: str
    job: dict
    ran: bool
    lineage: dict[str, str]


def _train(
    settings: Settings, foundation: Foundation, instances: int | None, again: bool,
    on_status: Callable[[str], None], on_line: Callable[[str], None],
) -> _Trained:  # fmt: skip
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    tuned = tune.latest(settings, foundation)
    source = program.upload_source(settings, foundation)
    count = instances or settings.training.instance_count
    digest = program.fingerprint(
        data=manifest.hash, source=source.digest, hyperparameters=tuned.hyperparameters, instances=count,
        training=settings.training.model_dump(exclude={"minimum_accuracy"}), model=settings.model.model_dump(),
        image=program.training_image(settings),
    )  # fmt: skip
    stem = f"{settings.prefix}-train-{count}x"
    name, job = names.attempt(stem, digest, lambda n: _describe(settings, foundation, n), again=again)
    if job is None:
        program.with_fresh_role(lambda: _create(settings, foundation, manifest, source, tuned, name, count))
    if ran := job is None or job["status"] != "Completed":
        job = follow.training_job(name, settings.region, on_status, on_line)
        if job["TrainingJobStatus"] != "Completed":
            raise OperatorError(_failure(settings, job))
    lineage = {
        "data_hash": manifest.hash, "dataset": manifest.dataset, "tuning_job": tuned.tuning_job,
        "training_job": name, "source": source.digest[:16], "git_commit": program.git_commit(),
        "architecture": settings.model.architecture, "instance_count": str(count),
    }  # fmt: skip
    return _Trained(name, job, ran, lineage)


def _create(
    settings: Settings, foundation: Foundation, manifest, source: program.Source, tuned: tune.Result,
    name: str, count: int,
) -> None:  # fmt: skip
    training = settings.training
    stopping = {"max_runtime_in_seconds": training.max_runtime_seconds}
    if training.spot:
        stopping["max_wait_time_in_seconds"] = 2 * training.max_runtime_seconds
    sdk().TrainingJob.create(
        training_job_name=name,
        role_arn=foundation.training_role_arn,
        hyper_parameters={
            **program.static_hyperparameters(settings, training.epochs),
            **{k: v for k, v in tuned.hyperparameters.items() if not k.startswith("_")},
        },
        algorithm_specification={
            "training_image": program.training_image(settings),
            "training_input_mode": "File",
            "metric_definitions": program.metric_definitions(),
        },
        input_data_config=program.channels(
            settings, foundation, source, manifest.dataset, ["train", "valid", "test"]
        ),
        output_data_config={
            "s3_output_path": f"s3://{foundation.bucket}/training",
            "kms_key_id": foundation.kms_key_arn,
        },
        resource_config=program.resources(settings, foundation, count),
        **program.confinement(settings, foundation, count),
        stopping_condition=stopping,
        enable_managed_spot_training=training.spot,
        checkpoint_config={"s3_uri": f"s3://{foundation.bucket}/checkpoints/{name}/"},
        tags=program.tags(settings, manifest),
        session=session(settings.region),
        region=settings.region,
    )


def _describe(settings: Settings, foundation: Foundation, name: str) -> dict | None:
    """The job; usable if its artifact is still in the bucket."""
    try:
        job = client("sagemaker", settings.region).describe_training_job(TrainingJobName=name)
    except ClientError as error:
        if program.is_missing(error):
            return None
        raise
    usable = job["TrainingJobStatus"] == "Completed" and _exists(
        settings, job["ModelArtifacts"]["S3ModelArtifacts"]
    )
    return {"status": job["TrainingJobStatus"], "usable": usable, **job}


def _exists(settings: Settings, uri: str) -> bool:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        client("s3", settings.region).head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NotFound", "NoSuchBucket"):
            return False
        raise
    return True


def _failure(settings: Settings, job: dict) -> str:
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    reason = job.get("FailureReason") or "it was stopped"
    return (
        f"The training job {name} ended as {status}: {' '.join(reason.split())[:600]} Its whole log is in "
        f"{follow.LOG_GROUP}, streams {name}/…; mend the cause and run ./inv train{settings.flag} again."
    )
