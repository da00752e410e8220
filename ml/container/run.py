"""One training run: what every step of it needs."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from environment import TrainingEnvironment
from hyperparameters import Hyperparameters
from process_group import ProcessGroup
from stop import StopRequest


@dataclass(kw_only=True, frozen=True, slots=True)
class Run:
    """One training run.

    hyperparameters: values from the command line.
    environment: folders and hosts.
    group: the process group; only rank 0 prints and saves.
    stop: whether SIGTERM was received.
    """

    hyperparameters: Hyperparameters
    environment: TrainingEnvironment
    group: ProcessGroup
    stop: StopRequest

    def log(self, line: str) -> None:
        """Print a line on rank 0."""
        if self.group.is_main:
            print(line, flush=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Create a folder that exists during the run; the ranks of a host share it. Collective."""
        token = self.group.broadcast(secrets.token_hex(8).encode()) or b""
        # With the host's name: hosts can be processes of one machine.
        folder = Path(tempfile.gettempdir()) / f"training-{token.decode()}-{self.environment.current_host}"
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # of several ranks, the first removes it
