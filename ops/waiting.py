"""Polling: pauses that grow with the time already waited, and waits that end with an error after a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ops.errors import OperatorError

Found = TypeVar("Found")


class Pause:
    """Sleeps between two polls: shortly at first, longer the longer the wait has lasted. Times in seconds."""

    def __init__(
        self,
        shortest: float = 0.5,
        longest: float = 10.0,
        *,
        limit: float | None = None,
        on_timeout: Callable[[], str] = lambda: "",
    ) -> None:
        """limit: how long the wait may last. on_timeout: returns the sentence of the OperatorError after that."""
        self._began, self._shortest, self._longest = time.monotonic(), shortest, longest
        self._limit, self._on_timeout = limit, on_timeout

    @property
    def waited(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def __call__(self) -> None:
        """Sleep. Raises OperatorError if the wait has lasted too long."""
        if self._limit is not None and self.waited > self._limit:
            raise OperatorError(self._on_timeout())
        time.sleep(min(self._longest, max(self._shortest, self.waited / 30)))


def wait_for(
    poll: Callable[[], Found | None],
    *,
    seconds: float,
    on_timeout: Callable[[], str],
    on_wait: Callable[[], None] = lambda: None,
    shortest: float = 0.5,
) -> Found:
    """Call `poll` until it returns something other than None, and return that.

    on_timeout: returns the sentence of the OperatorError that is raised after `seconds`.
    on_wait: called before each pause, for example to show progress.
    shortest: seconds of the first pauses.
    """
    pause = Pause(shortest, limit=seconds, on_timeout=on_timeout)
    while (found := poll()) is None:
        if pause.waited <= seconds:
            on_wait()
        pause()
    return found
