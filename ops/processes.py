"""Processes on this machine, identified so that a reused process ID is not mistaken for an earlier process."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path

import psutil

from ops.errors import OperatorError

_PROC = Path("/proc")
_KILL_SECONDS = 10


def started(process: int) -> str:
    """Return a text that identifies the start of a running process, or "" if it does not run."""
    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return ""
        if not psutil.LINUX:
            return repr(found.create_time())
        # Clock ticks since the boot: psutil adds the time of the boot, which moves when the clock is set.
        return (_PROC / str(process) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return ""


@cache
def boot() -> str:
    """Return the ID of this boot of this machine and of the process namespace, or "" if it is not known."""
    with contextlib.suppress(OSError):
        boot_id = (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text(encoding="utf-8").strip()
        return f"{boot_id} {os.readlink(_PROC / 'self' / 'ns' / 'pid')}"
    return ""


def end_session(session: int, name: str) -> list[int]:
    """Kill what is left of a session whose leader has ended, and wait until it is gone. Returns the process IDs.

    A process ID is not used again while it is the ID of a session. It may have been after that session ended, so only
    processes with the right name are killed, and none if a process has the leader's ID.

    session: ID of the session, which is its leader's process ID.
    name: how the names of the programs begin.
    """
    return [] if started(session) else end_programs(session, name)


def end_programs(session: int, name: str) -> list[int]:
    """Kill the programs of a session, and wait until they are gone. Returns the process IDs.

    The session is one of a process that this process has started, or has ended. session, name: as of `end_session`.
    """
    found = [process for process in psutil.process_iter() if _belongs(process, session, name)]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(found, timeout=_KILL_SECONDS)
    if remaining := ", ".join(str(process.pid) for process in alive if started(process.pid)):
        raise OperatorError(f"Processes {remaining} do not end: kill them, then run the same command again.")
    return [process.pid for process in found]


def _belongs(process: psutil.Process, session: int, name: str) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
        return os.getsid(process.pid) == session and bool(process.name().startswith(name))
    return False
