"""SageMaker's operations on training jobs."""

from __future__ import annotations

from typing import Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException

from embedded_aws import runtime
from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.sagemaker.requests import page, validated
from embedded_aws.services.sagemaker.training import validation
from embedded_aws.services.sagemaker.training.job import SERVICE, SESSION, OnEnd, OnMetric
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.runs import TrainingRuns


class TrainingJobs:
    """Backend mixin: the records of training jobs."""

    training_runs: ClassVar[TrainingRuns]

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.training_records: dict[str, TrainingJob] = {}

    def start_training(
        self,
        request: dict[str, Any],
        tuning_job_arn: str | None = None,
        share: int = 1,
        on_metric: OnMetric | None = None,
        on_end: OnEnd | None = None,
    ) -> TrainingJob:
        """Create a training job and run it. Raises ValidationException or ResourceInUse.

        share, on_metric, on_end: as of TrainingRuns.start.
        """
        name = request["TrainingJobName"]
        arn = self.resource_arn("training-job", name)
        if name in self.training_records:
            raise ResourceInUseException(
                "Training job names must be unique within an AWS account and region, but a training job with this "
                f"name already exists ({self.training_records[name].arn})"
            )
        validation.check(request)
        check_role(request["RoleArn"], self.region_name)
        self.keep_tags(arn, request.get("Tags"))
        job = TrainingJob(request, self.account_id, self.region_name, arn, tuning_job_arn)
        job.enter("Starting")
        self.training_records[name] = job
        self.training_runs.start(job, share, on_metric, on_end)
        return job

    def training_job(self, name: str) -> TrainingJob:
        """Raises ValidationException, as AWS does, if there is none of this name."""
        if name not in self.training_records:
            raise AWSValidationException("Requested resource not found.")
        return self.training_records[name]

    def resume_training(self) -> None:
        """After a restart of the embedded AWS: run again, from the beginning, what was running.

        A program that keeps checkpoints finds them. Jobs of a tuning job are resumed by it.
        """
        for job in self.training_records.values():
            if job.status == "Stopping":
                job.end("Stopped")
            elif job.status == "InProgress" and not job.tuning_job_arn:
                self.restart_training(job)

    def restart_training(
        self,
        job: TrainingJob,
        share: int = 1,
        on_metric: OnMetric | None = None,
        on_end: OnEnd | None = None,
    ) -> None:
        """Run a job again whose processes the embedded AWS has lost."""
        job.begin_again()
        self.training_runs.start(job, share, on_metric, on_end)


class TrainingOperations:
    """Response mixin."""

    def create_training_job(self) -> ActionResult:
        job = self.sagemaker_backend.start_training(validated(self))
        return ActionResult({"TrainingJobArn": job.arn})

    def describe_training_job(self) -> ActionResult:
        name = validated(self)["TrainingJobName"]
        return ActionResult(self.sagemaker_backend.training_job(name).describe())

    def list_training_jobs(self) -> ActionResult:
        request = validated(self)
        jobs = [job.summary() for job in self.sagemaker_backend.training_records.values()]
        if "WarmPoolStatusEquals" in request:
            wanted = request["WarmPoolStatusEquals"]
            jobs = [job for job in jobs if job.get("WarmPoolStatus", {}).get("Status") == wanted]
        if "TrainingPlanArnEquals" in request:
            jobs = []  # no job here has a plan
        return ActionResult(page(jobs, request, "TrainingJobSummaries", "TrainingJobName"))

    def stop_training_job(self) -> EmptyResult:
        job = self.sagemaker_backend.training_job(validated(self)["TrainingJobName"])
        if job.ended:
            raise AWSValidationException(
                f"The request was rejected because the training job is in status {job.status}."
            )
        self.sagemaker_backend.training_runs.stop(job)
        return EmptyResult()

    def delete_training_job(self) -> EmptyResult:
        backend = self.sagemaker_backend
        job = backend.training_job(validated(self)["TrainingJobName"])
        if not job.ended:
            raise AWSValidationException(
                f"The request was rejected because the training job is in status {job.status}."
            )
        backend.forget_tags(job.arn)
        del backend.training_records[job.name]
        return EmptyResult()


def check_role(role_arn: str, region: str) -> None:
    """Raise ValidationException, in AWS's words, if SageMaker may not assume the role."""
    try:
        runtime.current().assume(role_arn, SERVICE, region, SESSION)
    except RoleNotAssumable as error:
        raise AWSValidationException(str(error)) from error
