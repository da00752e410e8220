"""The processing jobs that run in this process. Their records are in the backends."""

from __future__ import annotations

from embedded_aws.services.sagemaker.job_runs import JobRuns
from embedded_aws.services.sagemaker.processing.records import ProcessingJob
from embedded_aws.services.sagemaker.processing.run import ProcessingRun


class ProcessingRuns(JobRuns[ProcessingJob, ProcessingRun]):
    """Starts and stops processing jobs."""

    def start(self, job: ProcessingJob) -> None:
        """Run a job whose record is in its backend."""
        self._begin(job, lambda finish: ProcessingRun(job, self._runtime, finish))
