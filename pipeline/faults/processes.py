"""Processes of this machine, found by a variable of their environment. Needs /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperatorError

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A running process. arguments: its command line."""

    pid: int
    arguments: tuple[str, ...]

    @property
    def is_terraform(self) -> bool:
        """Whether it is Terraform itself, not one of its providers."""
        return Path(self.arguments[0]).name == "terraform"


def check() -> None:
    """Raise OperatorError unless this system shows the environment of its processes."""
    if not (_PROC / "self" / "environ").exists():
        raise OperatorError("./inv faults needs Linux: it finds the processes that it kills in /proc.")


def of(folder: Path) -> list[Process]:
    """Return the processes that have a folder as the value of a variable, such as INV_WORK."""
    marker = f"={folder}\0".encode()
    return _matching(lambda environment, arguments: marker in environment)


def kill(chosen: Iterable[Process]) -> None:
    """Kill processes with SIGKILL."""
    for process in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def mentioning(text: str) -> list[Process]:
    """Return the processes that have a text in their command line or environment."""
    return _matching(lambda environment, arguments: text.encode() in environment + arguments)


def _matching(matches: Callable[[bytes, bytes], bool]) -> list[Process]:
    """Return the processes whose environment and command line match."""
    found = []
    for entry in _PROC.glob("[0-9]*"):
        try:
            environment, line = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:  # it has ended, or is another user's
            continue
        if line and matches(environment + b"\0", line):
            found.append(Process(int(entry.name), tuple(line.decode(errors="replace").split("\0"))))
    return found
