"""The console output of an instance."""

from __future__ import annotations

import threading
from pathlib import Path

CONSOLE_BYTES = 64 * 1024  # that GetConsoleOutput returns
MAX_FILE_BYTES = 4 * 1024 * 1024


class Console:
    """A file of bounded size with what an instance has printed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, data: bytes) -> None:
        """Append output."""
        with self._lock:
            with self.path.open("ab") as file:
                file.write(data)
                large = file.tell() > MAX_FILE_BYTES
            if large:
                self.path.write_bytes(self.path.read_bytes()[-CONSOLE_BYTES:])

    def tail(self) -> bytes:
        """Return the last 64 KB."""
        with self._lock:
            return self.path.read_bytes()[-CONSOLE_BYTES:] if self.path.exists() else b""
