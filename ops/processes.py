"""Processes on this machine, identified so that a reused process ID is not mistaken for an earlier process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from functools import cache
from pathlib import Path

from ops import waiting

_PROC = Path("/proc")


def started(process: int) -> str:
    """Return a text that identifies the start of a running process, or "" if it does not run."""
    if (_PROC / "self" / "stat").exists():
        try:
            fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        state, ticks_since_boot = fields[0], fields[19]
        return "" if state in "ZX" else ticks_since_boot
    found = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(process)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout.split()
    return "" if not found or found[0].startswith("Z") else " ".join(found[1:])


@cache
def boot() -> str:
    """Return the ID of this boot of this machine and of the process namespace, or "" if it is not known."""
    with contextlib.suppress(OSError):
        boot_id = (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
        return f"{boot_id} {os.readlink(_PROC / 'self' / 'ns' / 'pid')}"
    return ""


def end_session(session: int, name: str) -> list[int]:
    """Kill what is left of a session whose leader has ended, and wait until it is gone. Returns the process IDs.

    A process ID is not used again while it is the ID of a session. It may have been after that session ended, so only
    processes with the right name are killed, and none if a process has the leader's ID.

    session: ID of the session, which is its leader's process ID.
    name: how the names of the programs begin.
    """
    if started(session):
        return []
    found = [
        process for process in _all() if _session(process) == session and _name(process).startswith(name)
    ]
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    waiting.wait_for(
        lambda: None if any(map(started, found)) else True,
        seconds=10,
        on_timeout=lambda: (
            f"Processes {', '.join(map(str, found))} do not end: kill them, then run the same command again."
        ),
        shortest=0.05,
    )
    return found


def _all() -> list[int]:
    if (_PROC / "self" / "stat").exists():
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    listed = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True).stdout
    return [int(process) for process in listed.split()]


def _session(process: int) -> int:
    try:
        return os.getsid(process)
    except (ProcessLookupError, PermissionError):
        return 0


def _name(process: int) -> str:
    """Return the name of a process's program, without its folder; Linux cuts it off after 15 characters."""
    if (_PROC / "self" / "stat").exists():
        try:
            return (_PROC / str(process) / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    path = subprocess.run(["ps", "-o", "comm=", "-p", str(process)], capture_output=True, text=True).stdout
    return Path(path.strip()).name
