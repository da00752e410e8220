"""Memory of a process and its descendants on Linux. Elsewhere 0: no limit is enforced and no use is reported."""

from __future__ import annotations

import resource
from pathlib import Path

PAGE = resource.getpagesize()


def used(pid: int, limit: int) -> int:
    """Return the bytes that a process and its descendants use; 0 if they have ended or on another system than Linux.

    limit: above it, shared pages are counted once, which takes longer.
    """
    processes = _tree(pid)
    total = sum(map(_resident, processes))
    if total > limit and len(processes) > 1:
        total = sum(map(_proportional, processes))
    return total


def peak(pid: int) -> int:
    """Return the largest resident set size of a process so far, in bytes; 0 as above."""
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
    """Return resident memory, with the process's share of shared pages."""
    try:
        return _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_bytes(), b"\nPss:") or _resident(pid)
    except OSError:
        return _resident(pid)


def _kilobytes(text: bytes, name: bytes) -> int:
    _, found, rest = text.partition(name)
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants, without those whose parent has ended."""
    found = [pid]
    for parent in found:  # grows in the loop
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, file.read_bytes().split())
            except OSError:
                continue  # the thread has ended
    return found
