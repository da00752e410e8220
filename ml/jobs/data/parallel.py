"""Run a function in threads, with progress and a clean stop. Decoding and uploading images release the GIL."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[str, int, int], None]
"""Called as progress(what, done, total), in images, or in bytes for a download."""


def quiet(what: str, done: int, total: int) -> None:
    """Show no progress."""


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    what: str,
    progress: Progress = quiet,
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield function(item) in the order of items. An exception, also Ctrl-C, cancels the calls not yet started."""
    pool = ThreadPoolExecutor(workers or min(8, (os.cpu_count() or 1) + 1))
    try:
        for done, result in enumerate(pool.map(function, items), start=1):
            progress(what, done, len(items))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
