"""Processes of this machine, found by a variable of their environment."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from ops.errors import OperatorError

Environment = dict[str, str]

_POLL = 0.01  # seconds
_TRIES = 100
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied)  # it has ended, or is another user's


def check() -> None:
    """Raise OperatorError unless this system shows the environment of its processes."""
    if not psutil.LINUX:
        raise OperatorError(
            "./inv faults needs Linux: it finds the processes that it kills by their environment."
        )


def of(folder: Path) -> list[psutil.Process]:
    """Return the processes that have a folder as the value of a variable, such as INV_WORK."""
    return _matching(lambda environment, arguments: str(folder) in environment.values())


def mentioning(*texts: str) -> list[psutil.Process]:
    """Return the processes that have all these texts in their command line or environment."""

    def matches(environment: Environment, arguments: list[str]) -> bool:
        return all(any(text in part for part in (*environment.values(), *arguments)) for text in texts)

    return _matching(matches)


def is_terraform(process: psutil.Process) -> bool:
    """Return whether a process is Terraform itself, not one of its providers."""
    with contextlib.suppress(*_GONE):
        return bool(process.name() == "terraform")
    return False


def kill(chosen: Iterable[psutil.Process]) -> None:
    """Kill processes with SIGKILL."""
    for process in chosen:
        with contextlib.suppress(*_GONE):
            process.kill()


def end_all(folder: Path) -> None:
    """Kill the processes of a folder until none is left: those that are listed may have started others meanwhile."""
    while found := of(folder):
        kill(found)
        time.sleep(_POLL)


def _matching(matches: Callable[[Environment, list[str]], bool]) -> list[psutil.Process]:
    """Return the processes whose environment and command line match."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(*_GONE):
            environment, arguments = _read(process)
            if arguments and matches(environment, arguments):
                found.append(process)
    return found


def _read(process: psutil.Process) -> tuple[Environment, list[str]]:
    """Return the environment and the command line of a process. While it is starting a program it shows neither."""
    for _ in range(_TRIES):
        environment, arguments = process.environ(), process.cmdline()
        if environment or arguments or _is_kernel_thread(process):
            break
        time.sleep(_POLL)
    return environment, arguments


def _is_kernel_thread(process: psutil.Process) -> bool:
    return 2 in (process.pid, process.ppid())  # kthreadd and its children
