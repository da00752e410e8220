"""A terminal for one command, which can be typed on and closed like a window."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

_SECONDS = 0.05


class Terminal:
    """A pseudo-terminal. name: path of the side that the command uses. What it prints goes to a log."""

    def __init__(self, log: Path) -> None:
        self._ours, self._theirs = os.openpty()
        self.name = os.ttyname(self._theirs)
        self._closing = threading.Event()
        self._copier = threading.Thread(target=self._copy, args=(log,), daemon=True)
        self._copier.start()

    def type(self, key: bytes) -> None:
        """Type a key."""
        if not self._closing.is_set():
            os.write(self._ours, key)

    def close(self) -> None:
        """Close it: the kernel sends SIGHUP to the command's group, and what it writes later fails."""
        self._closing.set()
        self._copier.join()

    def _copy(self, log: Path) -> None:
        """Copy what is printed to the log. Only this thread closes the terminal: a pending read would keep it open."""
        with log.open("ab", buffering=0) as file:
            while True:
                last = self._closing.is_set()
                while select.select([self._ours], [], [], 0 if last else _SECONDS)[0]:
                    file.write(os.read(self._ours, 1 << 16))
                if last:
                    break
        os.close(self._ours)
        os.close(self._theirs)
