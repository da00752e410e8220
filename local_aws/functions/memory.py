"""Memory of a process, where the system tells it (Linux); elsewhere 0: no limit is enforced, none reported."""

from __future__ import annotations

import resource
from pathlib import Path

PAGE = resource.getpagesize()


def resident(pid: int) -> int:
    """Resident set size in bytes; 0 if the process is gone or the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def peak(pid: int) -> int:
    """Largest resident set size so far, in bytes; 0 as above."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0
