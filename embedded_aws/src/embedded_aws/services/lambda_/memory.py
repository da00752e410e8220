"""Memory of a process and its descendants, where the system tells it (Linux); elsewhere 0: no limit, none reported."""

from __future__ import annotations

import resource
from pathlib import Path

PAGE = resource.getpagesize()


def used(pid: int, limit: int) -> int:
    """Bytes that a process and its descendants hold together; 0 if they are gone or the system does not say.

    limit: above it, pages that they share are counted once, which takes longer to find out.
    """
    processes = _tree(pid)
    total = sum(map(_resident, processes))
    if total > limit and len(processes) > 1:
        total = sum(map(_proportional, processes))
    return total


def peak(pid: int) -> int:
    """Largest resident set size of one process so far, in bytes; 0 as above."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    return _kilobytes(status, b"VmHWM:")


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """Resident memory, of shared pages the process's share."""
    try:
        return _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_bytes(), b"\nPss:") or _resident(pid)
    except OSError:
        return _resident(pid)


def _kilobytes(text: bytes, name: bytes) -> int:
    _, found, rest = text.partition(name)
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0


def _tree(pid: int) -> list[int]:
    """A process and its descendants; those whose parent has ended belong to nobody."""
    found = [pid]
    for parent in found:  # it grows
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, file.read_bytes().split())
            except OSError:
                continue  # the thread has ended
    return found
