"""SIGINT, SIGTERM and SIGHUP: as an exception, so that everything is released, or kept until a block has ended."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    signal: its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Raise Interrupted in the block on each of the signals."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _handled(interrupt):
        yield


@contextlib.contextmanager
def deferred(on_first: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keep the signals until the block has ended; then raise Interrupted for the first one.

    Only the main thread gets signals: in another thread, nothing changes.

    on_first: called within the block, once, when the first signal arrives.
    """
    received: list[int] = []

    def record(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            on_first()

    with _handled(record):
        yield
    if received:
        raise Interrupted(received[0])


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals in the block, but not those that are ignored, as under nohup, and only in the main thread."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handled = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
