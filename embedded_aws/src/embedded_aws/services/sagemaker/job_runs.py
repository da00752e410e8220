"""The jobs of one kind that run in this process. Their records are in the backends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.job_run import Ending, JobRun


class Record(Protocol):
    """The record of a job."""

    region: str
    status: str

    @property
    def key(self) -> tuple[str, str, str]: ...

    def end(self, status: str, secondary_status: str | None = None, reason: str | None = None) -> None: ...

    def begin_stopping(self) -> None: ...


AnyRecord = TypeVar("AnyRecord", bound=Record)
AnyRun = TypeVar("AnyRun", bound=JobRun)


class JobRuns(Generic[AnyRecord, AnyRun]):
    """Starts, stops and counts running jobs."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._runs: dict[tuple[str, str, str], AnyRun] = {}
        self._lock = threading.Lock()

    def _begin(
        self,
        job: AnyRecord,
        make: Callable[[Callable[[Ending], None]], AnyRun],
        on_end: Callable[[AnyRecord], None] | None = None,
    ) -> None:
        """Run a job whose record is in its backend.

        make: returns the run, given what it calls when it has ended.
        on_end: called once with the job when it has ended.
        """

        def finish(ending: Ending) -> None:
            with self._lock:
                job.end(*ending)
                del self._runs[job.key]
            self._runtime.changed("sagemaker", job.region)
            if on_end:
                on_end(job)

        run = make(finish)
        with self._lock:
            self._runs[job.key] = run
        self._runtime.changed("sagemaker", job.region)
        run.start()

    def stop(self, job: AnyRecord) -> None:
        """Ask a running job to stop. A job that has ended stays as it is."""
        with self._lock:
            run = self._runs.get(job.key)
            if run is None or job.status != "InProgress":
                return
            job.begin_stopping()
        run.stop()

    def halt(self) -> None:
        """End every process because the embedded AWS stops. Records stay InProgress."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.halt()
        for run in runs:
            run.join(10)
