"""SageMaker's operations on training jobs."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.requests import Response, page, validated


class TrainingResponse(Response):
    """Operations on training jobs."""

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
            jobs = []  # training plans are not supported
        return ActionResult(page(jobs, request, "TrainingJobSummaries", "TrainingJobName"))

    def stop_training_job(self) -> EmptyResult:
        job = self.sagemaker_backend.training_job(validated(self)["TrainingJobName"])
        if job.ended:
            raise AWSValidationException(
                f"The request was rejected because the training job is in status {job.status}."
            )
        self.sagemaker_backend.stop_training(job)
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
