"""The local launcher: trains on this machine, for a first run or where there is a good GPU."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.jobs.launchers import jobs_in_s3
from ml.jobs.launchers.base import OnLine, OnStatus, Outcome, Training
from ml.runner.attempt import INTERRUPTED
from ml.runner.training_process import STOP_TIMEOUT
from ops import child_environment
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.paths import ROOT, WORK
from ops.text import clause

LOG_LINES = 5  # in an error message


class HereLauncher:
    """Runs ml/runner as a child process with the caller's permissions."""

    name = "here"

    def __init__(self, env: Environment) -> None:
        self._env = env

    def job_prefix(self, training: Training) -> str:
        return f"{self._env.settings.prefix}-{training.task}-here"

    def check(self, training: Training) -> None:
        if training.instances != 1:
            raise Refused(f"--on here trains on this machine only: omit --instances {training.instances}.")

    def fingerprint_inputs(self, training: Training) -> dict[str, Any]:
        fields = {"epochs", "weight_decay", "seed"}
        return {
            "training": self._env.settings.training.model_dump(include=fields),
            "machine": socket.gethostname(),
        }

    def describe(self, name: str) -> dict[str, Any] | None:
        return jobs_in_s3.describe(self._env, name)

    def run(self, training: Training, name: str, on_status: OnStatus, on_line: OnLine) -> Outcome:
        job = jobs_in_s3.write(training, name, self.name, log_group=None)
        work = WORK / "here" / name
        with _exclusive_lock(name) as lock:
            code, lines = self._train(str(job), work, lock, on_status, on_line)
            status = jobs_in_s3.read_status(self._env, name)
            if code != INTERRUPTED:
                shutil.rmtree(work, ignore_errors=True)
        if code == 0 and status is not None:
            return jobs_in_s3.outcome(self._env, name, status)
        if code == INTERRUPTED:
            raise OperatorError(
                f"The training {name} was stopped: run the same command again to resume from its checkpoint."
            )
        failure = status.failure if status and status.status == "Failed" else ""
        reason = clause(failure or " ".join(lines)[-600:] or f"exit status {code}")
        raise OperatorError(
            f"The training {name} failed on this machine: {reason}. Fix the cause and run the same command again."
        )

    def outcome(self, name: str) -> Outcome:
        status = jobs_in_s3.read_status(self._env, name)
        assert status is not None  # the job has succeeded
        return jobs_in_s3.outcome(self._env, name, status)

    def _train(
        self, job: str, work: Path, lock: int, on_status: OnStatus, on_line: OnLine
    ) -> tuple[int, deque[str]]:
        """Run the runner. Returns its exit status and last lines.

        lock: a file descriptor that the runner holds too: if this process is killed, the runner stops, and no other
        one starts before.
        """
        on_status("starting")
        process = subprocess.Popen(
            [sys.executable, "-m", "ml.runner", job, "--work", str(work)],
            cwd=ROOT,
            encoding="utf-8",
            errors="replace",
            env=child_environment.build("training", self._env.child_variables()),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
        )
        lines: deque[str] = deque(maxlen=LOG_LINES)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:  # mostly Ctrl-C: the runner uploads its checkpoint before it exits
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=STOP_TIMEOUT + 20)
            process.kill()
            raise
        return process.wait(), lines


@contextlib.contextmanager
def _exclusive_lock(name: str) -> Iterator[int]:
    """Let one process at a time train a job here. Yields the lock's file descriptor. Raises OperatorError."""
    folder = WORK / "here"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"{name} is already training on this machine, or is stopping: wait until it has ended."
            ) from None
        yield lock.fileno()
