"""Threads with progress, and a clean stop: for pictures, decoding and uploading both release the GIL."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[str, int, int], None]
"""Called as progress(what, done, total); done and total in pictures, or in bytes for a download."""


def quiet(what: str, done: int, total: int) -> None:
    """The progress of a caller who wants none."""


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    what: str,
    progress: Progress = quiet,
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield function(item) in the order of items. Any exception, Ctrl-C too, drops the calls not yet begun."""
    pool = ThreadPoolExecutor(workers or min(8, (os.cpu_count() or 1) + 1))
    try:
        for done, result in enumerate(pool.map(function, items), start=1):
            progress(what, done, len(items))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
