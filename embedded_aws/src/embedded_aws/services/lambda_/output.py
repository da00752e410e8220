"""The output of an execution environment: lines for the log, and the tail of the current invocation."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import IO

TAIL_BYTES = 4096


class Output:
    """Reads a process's pipe on a thread. `pump` reads what is in the pipe now.

    The runtime flushes the handler's output before it posts the response, so that a `pump` after the response
    has every line of the invocation.
    """

    def __init__(self, ship: Callable[[int, str], None]) -> None:
        """ship: called with (Unix milliseconds, message) for every line."""
        self._ship = ship
        self._lock = threading.RLock()
        self._partial = b""
        self._tail = bytearray()
        self._pipe: IO[bytes] | None = None

    def attach(self, pipe: IO[bytes]) -> None:
        """Read the pipe until it ends."""
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        threading.Thread(target=self._follow, args=(pipe,), daemon=True).start()

    def detach(self) -> None:
        """Read the rest and close the pipe: a descendant that is still running could keep it open."""
        with self._lock:
            if self.pump() and self._pipe is not None:
                self._pipe.close()
                self._pipe = None

    def begin(self) -> None:
        """Start a new invocation: clear the tail of the last one."""
        with self._lock:
            self.pump()
            self._tail.clear()

    def write(self, text: str) -> None:
        """Add lines of Lambda, after what the process has printed so far."""
        with self._lock:
            self.pump()
            self._add(text.encode())

    def tail(self) -> bytes:
        """Return the last 4 KB of the invocation's log."""
        with self._lock:
            return bytes(self._tail[-TAIL_BYTES:])

    def pump(self) -> bool:
        """Read everything that is in the pipe now. Returns False at its end."""
        with self._lock:
            while self._pipe is not None:
                try:
                    chunk = os.read(self._pipe.fileno(), 65536)
                except BlockingIOError:
                    return True
                if not chunk:
                    self._pipe.close()
                    self._pipe = None
                    break
                self._add(chunk)
            return False

    def _follow(self, pipe: IO[bytes]) -> None:
        poll = select.poll()
        poll.register(pipe.fileno(), select.POLLIN | select.POLLHUP)
        while self._pipe is pipe:
            poll.poll()
            self.pump()

    def _add(self, chunk: bytes) -> None:
        self._tail += chunk.replace(b"\r", b"\n")
        del self._tail[:-TAIL_BYTES]
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        now = int(time.time() * 1000)
        for line in lines:
            # The runtime joins the lines of an error with carriage returns.
            self._ship(now, line.replace(b"\r", b"\n").decode(errors="replace") + "\n")
