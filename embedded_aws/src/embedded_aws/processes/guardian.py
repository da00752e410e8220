"""Outlives the embedded AWS by a moment, to kill the process groups that a `kill -9` of it would leave behind.

Reads lines `+PGID` and `-PGID` from standard input; at end of file, when the embedded AWS is gone however it
went, kills every group still listed. Standard library only: it is started as a bare script.
"""

import os
import signal
import sys


def started(pid: int) -> str | None:
    """When a process started, in clock ticks; None where /proc does not tell, or once it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
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
            continue  # the number is another process's by now
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
