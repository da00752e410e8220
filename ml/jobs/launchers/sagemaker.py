"""The SageMaker launcher: a training job on one instance or several."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import features, follow, job_inputs
from ml.jobs.features import FeaturesJob
from ml.jobs.launchers.base import OnLine, OnStatus, Outcome, Training
from ml.jobs.sdk import sdk
from ml.jobs.submitter import as_submitter
from ops import logs, s3
from ops.aws import is_missing
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.facts.instance_types import check_instance_type
from ops.text import sentence

MAX_INSTANCES = 20
MESSAGE = 1600  # characters of a failure's reason


class SageMakerLauncher:
    """Submits jobs as the tuning role, which may pass the training role."""

    name = "sagemaker"

    def __init__(self, env: Environment) -> None:
        self._settings = env.settings
        self._submitter = as_submitter(env)

    def job_prefix(self, training: Training) -> str:
        return f"{self._settings.prefix}-{training.task}-{training.instances}x"

    def check(self, training: Training) -> None:
        check_instance_type(self._settings.training.instance_type, "training")
        if not 1 <= training.instances <= MAX_INSTANCES:
            raise Refused(f"--instances {training.instances}: give 1 to {MAX_INSTANCES}.")

    def fingerprint_inputs(self, training: Training) -> dict[str, Any]:
        return {
            "instances": training.instances,
            "training": self._settings.training.model_dump(exclude={"minimum_accuracy"}),
            "image": job_inputs.training_image(self._settings),
        }

    def describe(self, name: str) -> dict[str, Any] | None:
        """Return the job's state; it is usable if its artifact is still in the bucket."""
        try:
            job = self._describe(name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        usable = job["TrainingJobStatus"] == "Completed" and s3.exists(
            self._submitter, s3.S3Uri.parse(job["ModelArtifacts"]["S3ModelArtifacts"])
        )
        return {"status": job["TrainingJobStatus"], "usable": usable}

    def run(self, training: Training, name: str, on_status: OnStatus, on_line: OnLine) -> Outcome:
        if self.describe(name) is None:
            job_inputs.create(lambda: submit(self._submitter, training, name))
        job = follow.training_job(self._submitter, name, on_status, on_line)
        if job["TrainingJobStatus"] != "Completed":
            raise OperatorError(_failure(self._submitter, job))
        return _outcome(job)

    def outcome(self, name: str) -> Outcome:
        return _outcome(self._describe(name))

    def _describe(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self._submitter.client("sagemaker").describe_training_job(TrainingJobName=name)
        return job


def submit(env: Environment, training: Training, name: str) -> None:
    """Create the training job `name`."""
    settings, foundation = env.settings, env.outputs.foundation
    stopping = {"max_runtime_in_seconds": settings.training.max_runtime_seconds}
    if settings.training.spot:
        stopping["max_wait_time_in_seconds"] = 2 * settings.training.max_runtime_seconds
    sdk().TrainingJob.create(
        training_job_name=name,
        role_arn=foundation.training_role_arn,
        hyper_parameters={**training.hyperparameters, **job_inputs.toolkit_parameters(settings)},
        algorithm_specification={
            "training_image": job_inputs.training_image(settings),
            "training_input_mode": "File",
            "metric_definitions": job_inputs.metric_definitions(),
        },
        input_data_config=job_inputs.channels(
            env,
            training.source,
            training.manifest,
            ["train", "valid", "test"],
            _features(env, training),
        ),
        output_data_config={
            "s3_output_path": str(s3.in_data_bucket(env, "training")),
            "kms_key_id": foundation.kms_key_arn,
        },
        resource_config=job_inputs.resources(env, training.instances),
        **job_inputs.network_settings(env, training.instances),
        stopping_condition=stopping,
        retry_strategy=job_inputs.RETRY_STRATEGY,
        enable_managed_spot_training=settings.training.spot,
        checkpoint_config={"s3_uri": str(s3.in_data_bucket(env, f"checkpoints/{name}/"))},
        tags=job_inputs.tags(settings, training.manifest),
        session=env.session,
        region=settings.region,
    )


def _features(env: Environment, training: Training) -> str:
    """Return the s3:// prefix of the features that the search has computed; empty if the job computes its own, or none."""
    if not features.shared(env.settings, training.tuned.hyperparameters):
        return ""
    found = FeaturesJob(env, training.manifest).find()
    return found.uri if found else ""


def _outcome(job: dict[str, Any]) -> Outcome:
    seconds = job.get("TrainingTimeInSeconds", 0)
    resources = job.get("ResourceConfig", {})
    billable = job.get("BillableTimeInSeconds", seconds) * resources.get("InstanceCount", 1)
    return Outcome(
        artifact=job["ModelArtifacts"]["S3ModelArtifacts"],
        metrics={m["MetricName"]: round(m["Value"], 6) for m in job.get("FinalMetricDataList", [])},
        seconds=seconds,
        billable_seconds=billable,
        run_stats={
            "instance_type": resources.get("InstanceType", ""),
            "spot": str(job.get("EnableManagedSpotTraining", False)).lower(),
            "training_seconds": str(seconds),
            "billable_seconds": str(billable),
        },
    )


def _stop_reason(env: Environment, job: dict[str, Any]) -> str:
    """Return why SageMaker stopped a job: a limit of the settings, or a request."""
    training = env.settings.training
    limits = {
        "MaxRuntimeExceeded": f"it ran longer than training.max_runtime_seconds, {training.max_runtime_seconds} s",
        "MaxWaitTimeExceeded": "it waited for Spot capacity and ran for longer than twice training.max_runtime_seconds, "
        f"{2 * training.max_runtime_seconds} s",
    }
    return limits.get(job.get("SecondaryStatus", ""), "it was stopped")


def _failure(env: Environment, job: dict[str, Any]) -> str:
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    reason = (
        _stop_reason(env, job)
        if status == "Stopped"
        else logs.with_last_lines(env, job.get("FailureReason", ""), follow.LOG_GROUP, f"{name}/")
    )
    return (
        f"The training job {name} ended as {status}: {sentence(reason, MESSAGE)} Its whole log is in {follow.LOG_GROUP}, "
        f"streams {name}/…. Fix the cause and run the same command again."
    )
