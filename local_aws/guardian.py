"""Outlives the embedded AWS by a moment, to kill the process groups that a `kill -9` of it would leave behind.

Reads lines `+PGID` and `-PGID` from standard input; at end of file, when the embedded AWS is gone however it
went, kills every group still listed. Standard library only: it is started as a bare script.
"""

import os
import signal
import sys


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        groups.add(group) if line[0] == "+" else groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
