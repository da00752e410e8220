"""What is delivered in the background: a subscriber may be slow, and whoever tells must not wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

log = logging.getLogger(__name__)

WORKERS = 4

_workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="events")
started = threading.Event()  # what services tell while they start waits until all of them can be told


def later(work: Callable[..., None], *arguments: Any) -> None:
    """Run `work` in the background. What it raises is logged, and nobody's concern."""
    _workers.submit(_run, work, *arguments)


def _run(work: Callable[..., None], *arguments: Any) -> None:
    started.wait()
    try:
        work(*arguments)
    except Exception:
        log.exception("not delivered")
