"""The training program as a child process, with the environment variables of SageMaker's container."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

from .directories import TrainingDirectories
from .job import Job

STOP_TIMEOUT = 100  # seconds from SIGTERM to SIGKILL; EC2 reclaims a Spot Instance 120 s after its notice

_INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|(DYLD_(FALLBACK_)?|LD_)LIBRARY_PATH|PYTHONUTF8|PYTHONNOUSERSITE"
    r"|(CUDA|NVIDIA|NCCL|FI)_\w+|OMP_(NUM_THREADS|WAIT_POLICY)|MKL_NUM_THREADS|PYTORCH_(CUDA_)?ALLOC_CONF"
)


def training_environment(
    directories: TrainingDirectories, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment variables of the training process: what a container has, and the machine's for hardware.

    It gets no credentials and no proxies: the program needs no network. Its SM_ variables are set here.
    """
    return {
        # OpenMP threads that wait actively on busy cores slow training down twenty times.
        "OMP_WAIT_POLICY": "PASSIVE",
        **{name: value for name, value in inherited.items() if _INHERITED.fullmatch(name)},
        **directories.variables(),
        "PYTHONUNBUFFERED": "1",
    }


class TrainingProcess:
    """One run of the training program. Call `run` once; `stop` works from any thread or signal handler.

    stop_requested: set by `stop`.
    timed_out: whether the program exceeded the job's max_runtime_seconds.
    metrics: last value of each metric in the log.
    """

    def __init__(self, job: Job, directories: TrainingDirectories) -> None:
        self._job, self._directories = job, directories
        self._process: subprocess.Popen[str] | None = None
        self.stop_requested = threading.Event()
        self.timed_out = False
        self.metrics: dict[str, float] = {}

    def run(self, log: Callable[[str], None]) -> int:
        """Run the program, pass its output to `log` line by line, and return its exit status."""
        if self.stop_requested.is_set():
            return 0
        self._process = process = self._start()
        timer = _start_timer(self._job.max_runtime_seconds, self._time_out)
        if self.stop_requested.is_set():  # requested while the process was being started
            self.stop()
        patterns = {name: re.compile(regex) for name, regex in self._job.metrics.items()}
        assert process.stdout is not None
        for line in process.stdout:
            log(line.rstrip("\n"))
            for name, pattern in patterns.items():
                if match := pattern.search(line):
                    self.metrics[name] = float(match.group(1))
        timer.cancel()
        return process.wait()

    def stop(self) -> None:
        """Send SIGTERM, and after STOP_TIMEOUT seconds SIGKILL to the process group."""
        self.stop_requested.set()
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()

        def kill() -> None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

        _start_timer(STOP_TIMEOUT, kill)

    def failure(self) -> str:
        """Return the failure reason that the program wrote, on one line, or an empty string."""
        file = self._directories.output / "failure"
        return (
            " ".join(file.read_text(errors="replace", encoding="utf-8").split())[:1024]
            if file.is_file()
            else ""
        )

    def has_model(self) -> bool:
        """Return whether the program wrote a model."""
        return any(self._directories.model.iterdir())

    def _start(self) -> subprocess.Popen[str]:
        arguments = [
            word for name, value in self._job.hyperparameters.items() for word in (f"--{name}", value)
        ]
        return subprocess.Popen(
            [sys.executable, str(self._directories.code / self._job.program), *arguments],
            env=training_environment(self._directories),
            cwd=self._directories.code,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def _time_out(self) -> None:
        self.timed_out = True
        self.stop()


def _start_timer(seconds: float, function: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer
