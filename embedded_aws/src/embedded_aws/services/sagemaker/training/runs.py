"""The training jobs that run in this process. Their records are in the backends."""

from __future__ import annotations

import threading

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.reporting import OnMetric
from embedded_aws.services.sagemaker.training.run import Ending, OnEnd, TrainingRun


class NotInterruptible(Exception):
    """The job does not run on spot instances at this moment."""


class TrainingRuns:
    """Starts, stops and counts running jobs."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._runs: dict[tuple[str, str, str], TrainingRun] = {}
        self._lock = threading.Lock()

    def start(
        self, job: TrainingJob, share: int = 1, on_metric: OnMetric | None = None, on_end: OnEnd | None = None
    ) -> None:
        """Run a job whose record is in its backend.

        share, on_metric: see TrainingRun.
        on_end: called once with the job when it has ended.
        """

        def finish(ending: Ending) -> None:
            with self._lock:
                job.end(*ending)
                del self._runs[job.key]
            self._runtime.changed("sagemaker", job.region)
            if on_end:
                on_end(job)

        run = TrainingRun(job, self._runtime, finish, share, on_metric)
        with self._lock:
            self._runs[job.key] = run
        self._runtime.changed("sagemaker", job.region)
        run.start()

    def stop(self, job: TrainingJob) -> None:
        """Ask a running job to stop. A job that has ended stays as it is."""
        with self._lock:
            run = self._runs.get(job.key)
            if run is None or job.status != "InProgress":
                return
            job.status = "Stopping"
            job.enter("Stopping")
        run.stop()

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

    def halt(self) -> None:
        """End every process because the embedded AWS stops. Records stay InProgress."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.halt()
        for run in runs:
            run.join(10)
