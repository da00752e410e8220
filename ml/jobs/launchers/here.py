"""The training program on the machine of whoever works here: for a first look, or where there is a good GPU."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

from ml.jobs.launchers import jobs_in_s3
from ml.jobs.launchers.base import Outcome, Tell, TellStatus, Training
from ml.runner.attempt import INTERRUPTED
from ml.runner.training_process import STOP_TIMEOUT
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.paths import ROOT, WORK
from ops.settings import Settings


class HereLauncher:
    """Runs ml/runner as a process of its own, with the caller's own permissions."""

    name = "here"

    def __init__(self, settings: Settings, foundation: Foundation) -> None:
        self._settings, self._foundation = settings, foundation

    def stem(self, training: Training) -> str:
        return f"{self._settings.prefix}-train-here"

    def check(self, training: Training) -> None:
        if training.instances != 1:
            raise OperatorError(
                f"--on here trains on one machine, this one: leave --instances {training.instances} out."
            )

    def parts(self, training: Training) -> dict[str, Any]:
        training_settings = self._settings.training.model_dump(include={"epochs", "weight_decay", "seed"})
        return {"training": training_settings, "machine": socket.gethostname()}

    def describe(self, name: str) -> dict[str, Any] | None:
        return jobs_in_s3.describe(self._settings, self._foundation, name)

    def run(self, training: Training, name: str, on_status: TellStatus, on_line: Tell) -> Outcome:
        job = jobs_in_s3.write(training, name, self.name, log_group=None)
        work = WORK / "here" / name
        with _alone(name) as lock:
            code, last = self._train(job, str(work), lock, on_status, on_line)
            status = jobs_in_s3.read(self._settings, self._foundation, name)
            if code == 0 and status is not None:
                shutil.rmtree(work, ignore_errors=True)
                return jobs_in_s3.outcome(self._foundation, name, status)
        if code != INTERRUPTED:
            shutil.rmtree(work, ignore_errors=True)
        if code == INTERRUPTED:
            raise OperatorError(
                f"The training {name} was stopped: the same command goes on from its checkpoint."
            )
        told = (status.failure if status and status.status == "Failed" else "") or " ".join(last)[-600:]
        raise OperatorError(
            f"The training {name} failed here: {told.rstrip('.') or f'exit status {code}'}. Mend the cause and run "
            f"./inv train{self._settings.flag} --on here again."
        )

    def outcome(self, name: str) -> Outcome:
        status = jobs_in_s3.read(self._settings, self._foundation, name)
        assert status is not None  # `describe` has found it
        return jobs_in_s3.outcome(self._foundation, name, status)

    def _train(
        self, job: str, work: str, lock: int, on_status: TellStatus, on_line: Tell
    ) -> tuple[int, deque[str]]:
        """Returns the exit status, and the last lines. lock: a descriptor that the process holds, too: where this one is
        killed, it stops by itself, and until then nobody trains beside it."""
        on_status("starting")
        process = subprocess.Popen(
            [sys.executable, "-m", "ml.runner", job, "--work", work],
            cwd=ROOT,
            text=True,
            errors="replace",
            env={**os.environ, "AWS_DEFAULT_REGION": self._settings.region, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
        )
        last: deque[str] = deque(maxlen=5)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                last.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:  # Ctrl-C, mostly: it leaves its checkpoint before it goes
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=STOP_TIMEOUT + 20)
            process.kill()
            raise
        return process.wait(), last


@contextlib.contextmanager
def _alone(name: str) -> Iterator[int]:
    """One process at a time trains a job here. Gives the descriptor of its lock. Raises OperatorError if another does."""
    folder = WORK / "here"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"{name} is being trained on this machine already, or is just being stopped: wait for its end."
            ) from None
        yield lock.fileno()
