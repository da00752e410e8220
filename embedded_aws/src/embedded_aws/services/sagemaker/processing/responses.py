"""SageMaker's operations on processing jobs."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.requests import Response, page, validated


class ProcessingResponse(Response):
    """Operations on processing jobs."""

    def create_processing_job(self) -> ActionResult:
        job = self.sagemaker_backend.start_processing(validated(self))
        return ActionResult({"ProcessingJobArn": job.arn})

    def describe_processing_job(self) -> ActionResult:
        return ActionResult(self._job().describe())

    def list_processing_jobs(self) -> ActionResult:
        jobs = [job.summary() for job in self.sagemaker_backend.processing_records.values()]
        return ActionResult(page(jobs, validated(self), "ProcessingJobSummaries", "ProcessingJobName"))

    def stop_processing_job(self) -> EmptyResult:
        job = self._job()
        if job.ended:
            raise _rejected(job)
        self.sagemaker_backend.stop_processing(job)
        return EmptyResult()

    def delete_processing_job(self) -> EmptyResult:
        job = self._job()
        if not job.ended:
            raise _rejected(job)
        self.sagemaker_backend.forget_tags(job.arn)
        del self.sagemaker_backend.processing_records[job.name]
        return EmptyResult()

    def _job(self) -> Any:
        return self.sagemaker_backend.processing_job(validated(self)["ProcessingJobName"])


def _rejected(job: Any) -> AWSValidationException:
    return AWSValidationException(
        f"The request was rejected because the processing job is in status {job.status}."
    )
