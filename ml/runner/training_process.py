"""The training program as a process, in the folders and variables that SageMaker's container would give it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .job import Job

PATIENCE = 100  # seconds from SIGTERM to SIGKILL: a Spot Instance has 120 from its notice


@dataclass
class Folders:
    """Where the program finds and leaves things, below one folder, as /opt/ml of a container."""

    base: Path
    channels: dict[str, Path] = field(default_factory=dict)

    @property
    def code(self) -> Path:
        return self.base / "code"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    def make(self, channels: list[str]) -> None:
        """Make them, with nothing in those of results that an attempt before has left."""
        self.channels = {name: self.base / "input" / "data" / name for name in channels}
        for results in (self.model, self.output):
            shutil.rmtree(results, ignore_errors=True)
        for folder in (
            self.code,
            self.model,
            self.output / "data",
            self.checkpoints,
            *self.channels.values(),
        ):
            folder.mkdir(parents=True, exist_ok=True)

    def variables(self) -> dict[str, str]:
        return {
            "SAGEMAKER_BASE_DIR": str(self.base),
            "SM_MODEL_DIR": str(self.model),
            "SM_OUTPUT_DIR": str(self.output),
            "SM_OUTPUT_DATA_DIR": str(self.output / "data"),
            **{f"SM_CHANNEL_{name.upper()}": str(folder) for name, folder in self.channels.items()},
        }


class Program:
    """`run(say)` once; `stop()` from another thread or a signal asks it to end after its next step."""

    def __init__(self, job: Job, folders: Folders) -> None:
        self._job, self._folders = job, folders
        self._process: subprocess.Popen | None = None
        self.stopped = threading.Event()
        self.out_of_time = False
        self.metrics: dict[str, float] = {}

    def run(self, say: Callable[[str], None]) -> int:
        """Returns its exit status. metrics then has the last value of each."""
        if self.stopped.is_set():
            return 0
        arguments = [
            word for name, value in self._job.hyperparameters.items() for word in (f"--{name}", value)
        ]
        hidden = ("AWS_", "SM_")  # it needs nothing of AWS, and what it is told is told here
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self._process = subprocess.Popen(
            [sys.executable, str(self._folders.code / self._job.program), *arguments],
            env={**inherited, **self._folders.variables(), "PYTHONUNBUFFERED": "1"},
            cwd=self._folders.code,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        clock = threading.Timer(self._job.max_runtime_seconds, self._end_in_time)
        clock.daemon = True
        clock.start()
        if self.stopped.is_set():  # while it was being started
            self.stop()
        patterns = {name: re.compile(regex) for name, regex in self._job.metrics.items()}
        assert self._process.stdout is not None
        for line in self._process.stdout:
            say(line.rstrip("\n"))
            for name, pattern in patterns.items():
                if found := pattern.search(line):
                    self.metrics[name] = float(found.group(1))
        clock.cancel()
        return self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to its whole session if it has not ended in time."""
        self.stopped.set()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        last = threading.Timer(PATIENCE, self._kill, (self._process,))
        last.daemon = True
        last.start()

    def failure(self) -> str:
        """What it says of its failure, in one line; empty if nothing."""
        file = self._folders.output / "failure"
        return " ".join(file.read_text(errors="replace").split())[:1024] if file.is_file() else ""

    def has_model(self) -> bool:
        return any(self._folders.model.iterdir())

    def _end_in_time(self) -> None:
        self.out_of_time = True
        self.stop()

    @staticmethod
    def _kill(process: subprocess.Popen) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
