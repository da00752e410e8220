"""Records of training jobs."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException

from embedded_aws.services.sagemaker.roles import check_assumable
from embedded_aws.services.sagemaker.tags import TagStore
from embedded_aws.services.sagemaker.training import validation
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.reporting import OnMetric
from embedded_aws.services.sagemaker.training.run import OnEnd
from embedded_aws.services.sagemaker.training.runs import TrainingRuns


class TrainingBackend(TagStore):
    """Training jobs by name."""

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

        share, on_metric, on_end: see TrainingRuns.start.
        """
        name = request["TrainingJobName"]
        arn = self.resource_arn("training-job", name)
        if name in self.training_records:
            raise ResourceInUseException(
                "Training job names must be unique within an AWS account and region, but a training job with this "
                f"name already exists ({self.training_records[name].arn})"
            )
        validation.check(request)
        check_assumable(self.runtime, request["RoleArn"], self.region_name)
        self.keep_tags(arn, request.get("Tags"))
        job = TrainingJob(request, self.account_id, self.region_name, arn, tuning_job_arn)
        job.enter("Starting")
        self.training_records[name] = job
        self._training_runs.start(job, share, on_metric, on_end)
        return job

    def training_job(self, name: str) -> TrainingJob:
        """Return the record of a job. Raises ValidationException if there is none, as AWS does."""
        if name not in self.training_records:
            raise AWSValidationException("Requested resource not found.")
        return self.training_records[name]

    def resume_training(self) -> None:
        """After a restart of the embedded AWS, run unfinished jobs again from the beginning.

        Programs find their checkpoints. Tuning jobs restart their own training jobs.
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
        """Run a job again whose processes ended with the embedded AWS."""
        job.restart()
        self._training_runs.start(job, share, on_metric, on_end)

    def stop_training(self, job: TrainingJob) -> None:
        """Ask a running job to stop. A job that has ended stays as it is."""
        self._training_runs.stop(job)

    @property
    def _training_runs(self) -> TrainingRuns:
        return self.runtime.get(TrainingRuns)
