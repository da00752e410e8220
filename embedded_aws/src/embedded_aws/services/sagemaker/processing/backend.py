"""Records of processing jobs."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException

from embedded_aws.services.sagemaker.processing import validation
from embedded_aws.services.sagemaker.processing.records import ProcessingJob
from embedded_aws.services.sagemaker.processing.runs import ProcessingRuns
from embedded_aws.services.sagemaker.roles import check_assumable
from embedded_aws.services.sagemaker.tags import TagStore


class ProcessingBackend(TagStore):
    """Processing jobs by name."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.processing_records: dict[str, ProcessingJob] = {}

    def start_processing(self, request: dict[str, Any]) -> ProcessingJob:
        """Create a processing job and run it. Raises ValidationException or ResourceInUse."""
        name = request["ProcessingJobName"]
        if name in self.processing_records:
            raise ResourceInUseException(
                "Job name must be unique within an AWS account and region, and a job with this name already exists "
                f"({self.processing_records[name].arn})"
            )
        validation.check(request)
        check_assumable(self.runtime, request["RoleArn"], self.region_name)
        arn = self.resource_arn("processing-job", name)
        self.keep_tags(arn, request.get("Tags"))
        job = ProcessingJob(request, self.account_id, self.region_name, arn)
        self.processing_records[name] = job
        job.created()
        self._processing_runs.start(job)
        return job

    def processing_job(self, name: str) -> ProcessingJob:
        """Return the record of a job. Raises ValidationException if there is none, as AWS does."""
        if name not in self.processing_records:
            raise AWSValidationException(f"Could not find requested job with name: {name}")
        return self.processing_records[name]

    def stop_processing(self, job: ProcessingJob) -> None:
        """Ask a running job to stop. A job that has ended stays as it is."""
        self._processing_runs.stop(job)

    def resume_processing(self) -> None:
        """After a restart of the embedded AWS, run unfinished jobs again from the beginning."""
        for job in self.processing_records.values():
            if job.status == "Stopping":
                job.end("Stopped")
            elif job.status == "InProgress":
                job.restart()
                self._processing_runs.start(job)

    @property
    def _processing_runs(self) -> ProcessingRuns:
        return self.runtime.get(ProcessingRuns)
