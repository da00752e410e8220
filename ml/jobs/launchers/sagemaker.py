"""A training job of SageMaker, on one instance or several."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import follow
from ml.jobs import job_inputs as program
from ml.jobs.launchers.base import Outcome, Tell, TellStatus, Training
from ml.jobs.sdk import sdk
from ops.aws import acting_as, check_instance_type, client, error_code, session
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.settings import Settings


class SageMakerLauncher:
    """Submits jobs as the tuning role, which may pass the training role."""

    name = "sagemaker"

    def __init__(self, settings: Settings, foundation: Foundation) -> None:
        self._settings, self._foundation = settings, foundation

    def stem(self, training: Training) -> str:
        return f"{self._settings.prefix}-train-{training.instances}x"

    def check(self, training: Training) -> None:
        check_instance_type(self._settings.training.instance_type, "training")
        if not 1 <= training.instances <= 20:
            raise OperatorError(f"--instances {training.instances}: give 1 to 20.")

    def parts(self, training: Training) -> dict[str, Any]:
        return {
            "instances": training.instances,
            "training": self._settings.training.model_dump(exclude={"minimum_accuracy"}),
            "image": program.training_image(self._settings),
        }

    def describe(self, name: str) -> dict[str, Any] | None:
        """The job; usable if its artifact is still in the bucket."""
        with acting_as(self._foundation.tuning_role_arn):
            try:
                job = self._job(name)
            except ClientError as error:
                if program.is_missing(error):
                    return None
                raise
            usable = job["TrainingJobStatus"] == "Completed" and exists(
                self._settings, job["ModelArtifacts"]["S3ModelArtifacts"]
            )
        return {"status": job["TrainingJobStatus"], "usable": usable}

    def run(self, training: Training, name: str, on_status: TellStatus, on_line: Tell) -> Outcome:
        with acting_as(self._foundation.tuning_role_arn):
            if self.describe(name) is None:
                program.with_fresh_role(lambda: create(training, name))
            job = follow.training_job(name, self._settings.region, on_status, on_line)
        if job["TrainingJobStatus"] != "Completed":
            raise OperatorError(_failure(self._settings, job))
        return _outcome(job)

    def outcome(self, name: str) -> Outcome:
        with acting_as(self._foundation.tuning_role_arn):
            return _outcome(self._job(name))

    def _job(self, name: str) -> dict[str, Any]:
        return client("sagemaker", self._settings.region).describe_training_job(TrainingJobName=name)


def create(training: Training, name: str) -> None:
    """Submit the job."""
    settings, foundation = training.settings, training.foundation
    stopping = {"max_runtime_in_seconds": settings.training.max_runtime_seconds}
    if settings.training.spot:
        stopping["max_wait_time_in_seconds"] = 2 * settings.training.max_runtime_seconds
    sdk().TrainingJob.create(
        training_job_name=name,
        role_arn=foundation.training_role_arn,
        hyper_parameters={**training.hyperparameters, **program.toolkit_parameters(settings)},
        algorithm_specification={
            "training_image": program.training_image(settings),
            "training_input_mode": "File",
            "metric_definitions": program.metric_definitions(),
        },
        input_data_config=program.channels(
            settings, foundation, training.source, training.manifest.dataset, ["train", "valid", "test"]
        ),
        output_data_config={
            "s3_output_path": f"s3://{foundation.bucket}/training",
            "kms_key_id": foundation.kms_key_arn,
        },
        resource_config=program.resources(settings, foundation, training.instances),
        **program.confinement(settings, foundation, training.instances),
        stopping_condition=stopping,
        enable_managed_spot_training=settings.training.spot,
        checkpoint_config={"s3_uri": f"s3://{foundation.bucket}/checkpoints/{name}/"},
        tags=program.tags(settings, training.manifest),
        session=session(settings.region),
        region=settings.region,
    )


def exists(settings: Settings, uri: str) -> bool:
    """Whether there is such an object."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        client("s3", settings.region).head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NotFound", "NoSuchBucket"):
            return False
        raise
    return True


def _outcome(job: dict[str, Any]) -> Outcome:
    seconds = job.get("TrainingTimeInSeconds", 0)
    count = job.get("ResourceConfig", {}).get("InstanceCount", 1)
    billable = job.get("BillableTimeInSeconds", seconds) * count
    return Outcome(
        artifact=job["ModelArtifacts"]["S3ModelArtifacts"],
        metrics={m["MetricName"]: round(m["Value"], 6) for m in job.get("FinalMetricDataList", [])},
        seconds=seconds,
        billable_seconds=billable,
        took={
            "instance_type": job.get("ResourceConfig", {}).get("InstanceType", ""),
            "spot": str(job.get("EnableManagedSpotTraining", False)).lower(),
            "training_seconds": str(seconds),
            "billable_seconds": str(billable),
        },
    )


def _failure(settings: Settings, job: dict[str, Any]) -> str:
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    reason = job.get("FailureReason") or "it was stopped"
    return (
        f"The training job {name} ended as {status}: {' '.join(reason.split())[:600]} Its whole log is in "
        f"{follow.LOG_GROUP}, streams {name}/…; mend the cause and run ./inv train{settings.flag} again."
    )
