"""Processes on this machine, identified so that a reused process ID is not mistaken for an earlier process."""

from __future__ import annotations

import contextlib
import os
import subprocess
from functools import cache
from pathlib import Path

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
