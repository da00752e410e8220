"""One attempt at a training job, from the first download to the registered model."""

from __future__ import annotations

import hashlib
import json
import signal
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from . import results
from .checkpoint_sync import CheckpointSync
from .directories import TrainingDirectories
from .job import Job, Status
from .machine import Machine
from .registration import with_results
from .storage import JobStorage
from .training_process import TrainingProcess

COMPLETED, FAILED, INTERRUPTED = 0, 1, 75  # exit statuses; 75 is EX_TEMPFAIL of sysexits.h: try again
STATUS_INTERVAL = 30.0  # seconds between two writes of the status
INTERRUPTION_INTERVAL = 2.0  # seconds between two checks for a Spot interruption notice, which gives 120 s


class InterruptedAttempt(Exception):
    """The machine stopped before the job was done. The next attempt resumes from the checkpoint."""


class FailedAttempt(Exception):
    """The job cannot be done. The message is for the person who started it."""


def run_attempt(
    job: Job, storage: JobStorage, machine: Machine, work: Path, log: Callable[[str], None]
) -> int:
    """Run one attempt, write its outcome to the job's status, and return the exit status.

    work: folder for the downloads and results.
    log: called with each log line, from several threads.
    """
    previous = storage.read_status(job) or Status()
    if previous.status == "Completed":
        log(f"{job.name} is already completed")
        return COMPLETED
    attempt = _Attempt(job, storage, machine, work, log, previous)
    try:
        attempt.run()
    except InterruptedAttempt as interrupted:
        return attempt.finish("Interrupted", str(interrupted), INTERRUPTED)
    except FailedAttempt as failed:
        return attempt.finish("Failed", str(failed), FAILED)
    except Exception as error:
        attempt.finish("Failed", f"{type(error).__name__}: {error}", FAILED)
        raise
    return attempt.finish("Completed", "", COMPLETED)


class _Attempt:
    def __init__(
        self,
        job: Job,
        storage: JobStorage,
        machine: Machine,
        work: Path,
        log: Callable[[str], None],
        previous: Status,
    ) -> None:
        self._job, self._storage, self._machine, self._log = job, storage, machine, log
        self._directories = TrainingDirectories(work)
        self._process = TrainingProcess(job, self._directories)
        self._stop_reason = ""
        self._reclaimed = False
        self._ended = threading.Event()
        self._started = time.monotonic()
        self._previous = previous
        self._status = Status(
            machine=machine.id,
            machine_type=machine.type,
            spot=machine.spot,
            attempts=previous.attempts + 1,
        )
        self._status_lock = threading.Lock()
        self._results: dict[str, bytes] = {}  # by name, until they are uploaded

    def run(self) -> None:
        """Run every stage. Raises InterruptedAttempt or FailedAttempt."""
        self._watch_for_stop()
        market = "Spot" if self._machine.spot else "on demand"
        self._log(f"{self._job.name} on {self._machine.id}, {self._machine.type}, {market}")
        self._write_status("Downloading")
        self._directories.create(list(self._job.channels))
        checkpoints = CheckpointSync(self._job, self._storage, self._directories.checkpoints, self._log)
        self._download(checkpoints)
        self._write_status("Training")
        with checkpoints:
            exit_status = self._process.run(self._log)
        if exit_status or not self._process.has_model():
            raise self._explain(exit_status)
        self._write_status("Uploading")
        self._upload()
        if self._job.registration is not None:
            self._write_status("Registering")
            self._register(self._job.registration)

    def finish(self, status: str, failure: str, exit_status: int) -> int:
        """Write the outcome and return the exit status."""
        self._status.status, self._status.failure = status, failure
        self._status.reclaimed = self._reclaimed and status == "Interrupted"
        self._log(f"{self._job.name} {status}{': ' if failure else ''}{failure}")
        self._ended.set()
        self._write_status(status)
        return exit_status

    def _write_status(self, stage: str = "") -> None:
        """Write the status with the seconds so far. Without a stage, the stage stays."""
        with self._status_lock:
            self._status.stage = stage or self._status.stage
            self._status.training_seconds = self._previous.training_seconds + time.monotonic() - self._started
            self._status.billable_seconds = self._previous.billable_seconds + self._machine.billable_seconds()
            self._storage.write_status(self._job, self._status)

    def _watch_for_stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _: self._stop(f"stopped by {signal.Signals(got).name}"))
        threading.Thread(target=self._write_status_regularly, name="status", daemon=True).start()
        if self._machine.spot:
            threading.Thread(target=self._watch_for_interruption, name="spot", daemon=True).start()

    def _write_status_regularly(self) -> None:
        """Write the status until the job ends, so that the cost of a lost machine is on record."""
        while not self._ended.wait(STATUS_INTERVAL):
            try:
                self._write_status()
            except Exception as error:  # the next write retries
                self._log(f"cannot write the status, retrying: {error}")

    def _watch_for_interruption(self) -> None:
        while not self._ended.wait(INTERRUPTION_INTERVAL):
            try:
                moment = self._machine.interruption_time()
            except OSError as error:
                self._log(f"the metadata service does not respond, retrying: {error}")
                continue
            if moment:
                self._log(f"EC2 reclaims this Spot Instance at {moment}: stopping at the last checkpoint")
                self._reclaimed = True
                self._stop("EC2 reclaimed the Spot Instance")
                return

    def _stop(self, reason: str) -> None:
        self._stop_reason = self._stop_reason or reason
        self._process.stop()

    def _download(self, checkpoints: CheckpointSync) -> None:
        started = time.monotonic()
        self._storage.unpack(self._job.source, self._job.source_digest, self._directories.code)
        total = 0
        for name, prefix in self._job.channels.items():
            count = self._storage.download(prefix, self._directories.channels[name])
            if not count:
                raise FailedAttempt(f"channel {name} is empty: there are no objects below {prefix}")
            total += count
        self._log(f"downloaded {total:,} files in {time.monotonic() - started:.1f} s")
        if checkpoints.download():
            self._log("downloaded the checkpoint of the previous attempt")

    def _explain(self, exit_status: int) -> InterruptedAttempt | FailedAttempt:
        """Return why the program left no model."""
        if failure := self._process.failure():
            return FailedAttempt(failure)
        if self._process.timed_out:
            return FailedAttempt(
                f"training exceeded max_runtime_seconds ({self._job.max_runtime_seconds} s) and was stopped"
            )
        # 0: the program stopped cleanly. SIGTERM: it was still starting. SIGKILL: it did not stop in time.
        if self._stop_reason and exit_status in (0, -signal.SIGTERM, -signal.SIGKILL):
            return InterruptedAttempt(self._stop_reason)
        if exit_status == -signal.SIGKILL:
            return FailedAttempt(
                "the training program was killed, probably because memory ran out: use an instance type with more "
                "memory or a smaller batch-size"
            )
        if exit_status:
            return FailedAttempt(f"the training program exited with status {exit_status}")
        return FailedAttempt("the training program exited without writing a model")

    def _upload(self) -> None:
        archive = self._directories.base / "model.tar.gz"
        # Fastest compression: weights hardly compress.
        with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
            for path in sorted(self._directories.model.iterdir()):
                packed.add(path, path.name)
        self._storage.upload(self._job, archive, self._job.artifact)
        self._status.metrics = {name: round(value, 6) for name, value in self._process.metrics.items()}
        metrics = json.dumps(self._status.metrics, indent=2, sort_keys=True)
        self._storage.put_text(self._job, f"{self._job.output}metrics.json", metrics.encode())
        self._results = results.of_folder(self._directories.output / "data")
        for name, content in self._results.items():
            uri, kind = f"{self._job.output}{name}", results.content_type(name)
            self._storage.put_text(self._job, uri, content, kind)

    def _register(self, registration: dict[str, Any]) -> None:
        run_stats = {
            "instance_type": self._machine.type,
            "spot": str(self._machine.spot).lower(),
            "attempts": str(self._status.attempts),
            "training_seconds": f"{self._status.training_seconds:.0f}",
            "billable_seconds": f"{self._status.billable_seconds:.0f}",
        }
        request = with_results(
            registration,
            self._status.metrics,
            self._job.minimum_accuracy,
            run_stats,
            results.evaluation(self._results),
        )
        # The same token for every attempt: SageMaker registers the model once.
        token = hashlib.sha256(self._job.name.encode()).hexdigest()[:36]
        registry = boto3.client("sagemaker", region_name=self._job.region)
        package = registry.create_model_package(**request, ClientToken=token)
        self._status.model_package_arn = package["ModelPackageArn"]
        self._log(f"registered {self._status.model_package_arn} ({request['ModelApprovalStatus']})")
