"""The tuning jobs that run in this process. Their records are in the backends."""

from __future__ import annotations

import threading

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import events
from embedded_aws.services.sagemaker.tuning.records import TuningJob
from embedded_aws.services.sagemaker.tuning.run import Trainer, TuningRun


class TuningRuns:
    """Starts and stops running tuning jobs."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._runs: dict[str, TuningRun] = {}  # by ARN
        self._lock = threading.Lock()

    def start(self, job: TuningJob, trainer: Trainer) -> None:
        with self._lock:
            self._runs = {arn: run for arn, run in self._runs.items() if not run.job.ended}
            run = self._runs[job.arn] = TuningRun(job, trainer, self._finish)
        run.start()
        events.tuning_job(job)

    def stop(self, job: TuningJob) -> None:
        with self._lock:
            if job.status != "InProgress":
                return
            job.status = "Stopping"
            self._runs[job.arn].stop()
        events.tuning_job(job)

    def _finish(self, job: TuningJob, status: str, reason: str | None) -> None:
        with self._lock:
            job.end(status, reason)
        events.tuning_job(job)
        self._runtime.changed("sagemaker", job.region)

    def halt(self) -> None:
        """Start no more trials because the embedded AWS stops. Records stay InProgress."""
        for run in list(self._runs.values()):
            run.halt()
