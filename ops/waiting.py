"""Polling: pauses that grow with the time already waited, and waits that end with an error after a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ops.errors import OperatorError

Found = TypeVar("Found")


class Pause:
    """Sleeps between two polls: shortly at first, longer the longer the wait has lasted. Times in seconds."""

    def __init__(self, shortest: float = 0.5, longest: float = 10.0) -> None:
        self._began, self._shortest, self._longest = time.monotonic(), shortest, longest

    @property
    def waited(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def __call__(self) -> None:
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
    pause = Pause(shortest)
    while (found := poll()) is None:
        if pause.waited > seconds:
            raise OperatorError(on_timeout())
        on_wait()
        pause()
    return found
