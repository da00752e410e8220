"""The training jobs that run in this process. Their records are in the backends."""

from __future__ import annotations

from embedded_aws.services.sagemaker.job_runs import JobRuns
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.reporting import OnMetric
from embedded_aws.services.sagemaker.training.run import OnEnd, TrainingRun


class NotInterruptible(Exception):
    """The job does not run on spot instances at this moment."""


class TrainingRuns(JobRuns[TrainingJob, TrainingRun]):
    """Starts, interrupts and stops training jobs."""

    def start(
        self, job: TrainingJob, share: int = 1, on_metric: OnMetric | None = None, on_end: OnEnd | None = None
    ) -> None:
        """Run a job whose record is in its backend.

        share, on_metric: see TrainingRun.
        on_end: called once with the job when it has ended.
        """
        self._begin(job, lambda finish: TrainingRun(job, self._runtime, finish, share, on_metric), on_end)

    def interrupt(self, job: TrainingJob, away: float) -> None:
        """Interrupt a running spot job for `away` seconds. Raises NotInterruptible."""
        with self._lock:
            run = self._runs.get(job.key)
            if not job.spot:
                raise NotInterruptible(
                    f"The training job {job.name} does not run on spot instances: create it with "
                    "EnableManagedSpotTraining to interrupt it."
                )
            if run is None or job.secondary_status != "Training":
                raise NotInterruptible(
                    f"The training job {job.name} is {job.secondary_status}: it can be interrupted only while it is "
                    "Training."
                )
            job.enter("Interrupted")
        run.interrupt(away)
        self._runtime.changed("sagemaker", job.region)
