"""Processes of this machine, found by a variable of their environment. Needs /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperatorError

_PROC = Path("/proc")
_POLL = 0.01  # seconds
_TRIES = 100
_KERNEL_THREAD = 0x200000  # PF_KTHREAD of Linux


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


def end_all(folder: Path) -> None:
    """Kill the processes of a folder until none is left: those that are listed may have started others meanwhile."""
    while found := of(folder):
        kill(found)
        time.sleep(_POLL)


def mentioning(text: str) -> list[Process]:
    """Return the processes that have a text in their command line or environment."""
    return _matching(lambda environment, arguments: text.encode() in environment + arguments)


def _matching(matches: Callable[[bytes, bytes], bool]) -> list[Process]:
    """Return the processes whose environment and command line match."""
    found = []
    for entry in _PROC.glob("[0-9]*"):
        try:
            environment, line = _read(entry)
        except OSError:  # it has ended, or is another user's
            continue
        if line and matches(environment + b"\0", line):
            found.append(Process(int(entry.name), tuple(line.decode(errors="replace").split("\0"))))
    return found


def _read(entry: Path) -> tuple[bytes, bytes]:
    """Return the environment and the command line of a process. While it is starting a program it shows neither."""
    for _ in range(_TRIES):
        environment, line = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        if environment or line or not _runs(entry):
            break
        time.sleep(_POLL)
    return environment, line


def _runs(entry: Path) -> bool:
    """Return whether a process is neither a zombie nor a thread of the kernel."""
    fields = (entry / "stat").read_text().rpartition(")")[2].split()
    return fields[0] not in "ZX" and not int(fields[6]) & _KERNEL_THREAD
