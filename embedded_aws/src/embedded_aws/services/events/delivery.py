"""Delivers events in the background: a subscriber may be slow, and the sender must not wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

log = logging.getLogger(__name__)

WORKERS = 4


class Delivery:
    """Runs deliveries on a few threads, from `start` on: all services can receive then."""

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="events")
        self._started = threading.Event()

    def start(self) -> None:
        """Run what has been submitted so far, and everything from now on."""
        self._started.set()

    def submit(self, deliver: Callable[..., None], *arguments: Any) -> None:
        """Run `deliver` in the background, and log what it raises."""
        self._workers.submit(self._run, deliver, *arguments)

    def _run(self, deliver: Callable[..., None], *arguments: Any) -> None:
        self._started.wait()
        try:
            deliver(*arguments)
        except Exception:
            log.exception("an event could not be delivered")
