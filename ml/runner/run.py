"""One attempt at a job, from the first byte fetched to the registered model."""

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

from . import registration
from .checkpoints import Checkpoints
from .job import Job, Status
from .machine import Computer, Instance
from .storage import Storage
from .training_process import Folders, Program

COMPLETED, FAILED, INTERRUPTED = 0, 1, 75  # exit statuses; 75 is sysexits' "try again"
WRITE_EVERY = 30.0  # seconds between two notes of how far a job is
NOTICE_EVERY = 2.0  # seconds between two looks at a Spot Instance's notice, which comes 120 s before its end

Say = Callable[[str], None]


class Interrupted(Exception):
    """The machine goes before the job is done."""


class Failed(Exception):
    """The job cannot be done; the text is for whoever asked for it."""


def run(job: Job, storage: Storage, machine: Instance | Computer, work: Path, say: Say) -> int:
    """Run one attempt and leave its outcome in the job's status. Returns the exit status."""
    attempt = _Attempt(job, storage, machine, work, say)
    if attempt.is_done():
        say(f"{job.name} is done already")
        return COMPLETED
    try:
        attempt.carry_out()
    except Interrupted as interrupted:
        return attempt.end("Interrupted", str(interrupted), INTERRUPTED)
    except Failed as failed:
        return attempt.end("Failed", str(failed), FAILED)
    except Exception as error:
        attempt.end("Failed", f"{type(error).__name__}: {error}", FAILED)
        raise
    return attempt.end("Completed", "", COMPLETED)


class _Attempt:
    def __init__(
        self, job: Job, storage: Storage, machine: Instance | Computer, work: Path, say: Say
    ) -> None:
        self._job, self._storage, self._machine, self._say = job, storage, machine, say
        self._folders = Folders(work)
        self._program = Program(job, self._folders)
        self._why_stopped = ""
        self._reclaimed = False
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._before = storage.read_status(job) or Status()
        self._status = Status(
            machine=machine.id,
            machine_type=machine.type,
            spot=machine.spot,
            attempts=self._before.attempts + 1,
        )
        self._writing = threading.Lock()

    def is_done(self) -> bool:
        """Whether an attempt before has done all there is to do."""
        return self._before.status == "Completed"

    def carry_out(self) -> None:
        self._listen()
        market = "Spot" if self._machine.spot else "on demand"
        self._say(f"{self._job.name} on {self._machine.id}, {self._machine.type}, {market}")
        self._enter("Downloading")
        self._folders.make(list(self._job.channels))
        checkpoints = Checkpoints(self._job, self._storage, self._folders.checkpoints, self._say)
        self._fetch(checkpoints)
        self._enter("Training")
        with checkpoints:
            code = self._program.run(self._say)
        if code or not self._program.has_model():
            self._explain(code)
        self._enter("Uploading")
        self._upload()
        self._enter("Registering")
        self._register()

    def end(self, status: str, failure: str, code: int) -> int:
        self._status.status, self._status.failure = status, failure
        self._status.reclaimed = self._reclaimed and status == "Interrupted"
        self._say(f"{self._job.name} {status}{': ' if failure else ''}{failure}")
        self._ended.set()
        self._enter(status)
        return code

    def _enter(self, stage: str = "") -> None:
        """Write down where the job stands; without a stage, that it stands where it stood."""
        with self._writing:
            self._status.stage = stage or self._status.stage
            self._status.training_seconds = self._before.training_seconds + time.monotonic() - self._began
            self._status.billable_seconds = self._before.billable_seconds + self._machine.seconds()
            self._storage.write_status(self._job, self._status)

    def _listen(self) -> None:
        """Stop the program when the machine is about to go."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _: self._stop(f"{signal.Signals(got).name} ended it"))
        threading.Thread(target=self._keep_writing, name="status", daemon=True).start()
        if self._machine.spot:
            threading.Thread(target=self._watch_for_notice, name="spot", daemon=True).start()

    def _keep_writing(self) -> None:
        """Until the outcome is written: a machine that is lost has then been paid for what is on record."""
        while not self._ended.wait(WRITE_EVERY):
            try:
                self._enter()
            except Exception as error:  # the next note, or the outcome, will tell
                self._say(f"how far the job is could not be written down: {error}")

    def _watch_for_notice(self) -> None:
        pause = threading.Event()
        while not pause.wait(NOTICE_EVERY):
            try:
                moment = self._machine.notice()
            except OSError as error:
                self._say(f"the metadata service did not answer, and will be asked again: {error}")
                continue
            if moment:
                self._say(
                    f"EC2 takes this Spot Instance back at {moment}: stopping, to go on from the checkpoint"
                )
                self._reclaimed = True
                self._stop("EC2 took the Spot Instance back")
                return

    def _stop(self, why: str) -> None:
        self._why_stopped = self._why_stopped or why
        self._program.stop()

    def _fetch(self, checkpoints: Checkpoints) -> None:
        began = time.monotonic()
        self._storage.unpack(self._job.source, self._job.source_digest, self._folders.code)
        count = 0
        for name, prefix in self._job.channels.items():
            found = self._storage.fetch(prefix, self._folders.channels[name])
            if not found:
                raise Failed(f"channel {name} is empty: there is nothing below {prefix}")
            count += found
        self._say(f"fetched {count:,} files in {time.monotonic() - began:.1f} s")
        if checkpoints.fetch():
            self._say("fetched the checkpoint of the attempt before")

    def _explain(self, code: int) -> None:
        """The program has left no model. Raises Interrupted if it was stopped, else Failed."""
        if failure := self._program.failure():
            raise Failed(failure)
        if self._program.out_of_time:
            raise Failed(
                f"it was stopped after {self._job.max_runtime_seconds} s, the longest that it may train"
            )
        # Also where it was too young, or too busy, to hear that it should stop.
        if self._why_stopped and code in (0, -signal.SIGTERM, -signal.SIGKILL):
            raise Interrupted(self._why_stopped)
        if code == -signal.SIGKILL:
            raise Failed(
                "the training program was killed, as Linux does where memory runs out: take a machine with more, or a "
                "smaller batch-size"
            )
        raise Failed(
            f"the training program ended with status {code}"
            if code
            else "the training program has ended without a model"
        )

    def _upload(self) -> None:
        archive = self._folders.base / "model.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=1) as packed:  # weights hardly compress
            for path in sorted(self._folders.model.iterdir()):
                packed.add(path, path.name)
        self._storage.upload(self._job, archive, self._job.artifact)
        self._status.metrics = {name: round(value, 6) for name, value in self._program.metrics.items()}
        metrics = json.dumps(self._status.metrics, indent=2, sort_keys=True).encode()
        self._storage.put(self._job, f"{self._job.output}metrics.json", metrics, "application/json")

    def _register(self) -> None:
        took: dict[str, Any] = {
            "instance_type": self._machine.type,
            "spot": str(self._machine.spot).lower(),
            "attempts": str(self._status.attempts),
            "training_seconds": f"{self._status.training_seconds:.0f}",
            "billable_seconds": f"{self._status.billable_seconds:.0f}",
        }
        request = registration.with_results(
            self._job.registration, self._status.metrics, self._job.minimum_accuracy, took
        )
        registry = boto3.client("sagemaker", region_name=self._job.region)
        token = hashlib.sha256(self._job.name.encode()).hexdigest()[
            :36
        ]  # registered once, whatever is done twice
        made = registry.create_model_package(**request, ClientToken=token)
        self._status.model_package_arn = made["ModelPackageArn"]
        self._say(f"registered {self._status.model_package_arn} ({request['ModelApprovalStatus']})")
