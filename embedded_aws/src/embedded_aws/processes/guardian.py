"""Kills process groups that a `kill -9` of the embedded AWS would leave behind.

Reads lines `+PGID` and `-PGID` from standard input. At end of file the embedded AWS is gone: kills every group still
listed. Standard library only: it is started as a bare script.
"""

import os
import signal
import sys


def started(pid: int) -> str | None:
    """Return when a process started, in clock ticks; None without /proc or after its end."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, str | None] = {}
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups[group] = started(group)
        else:
            groups.pop(group, None)
    for group, since in groups.items():
        if started(group) not in (since, None):
            continue  # another process has the number now
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
