"""Run a function in threads, with progress and a clean stop. Decoding and uploading images release the GIL."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 16  # calls per worker: enough that none waits for a slow one

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
    """Yield function(item) in the order of items. An exception, also Ctrl-C, cancels the calls not yet started.

    Only a few calls are ahead of the result that is yielded, so that memory does not grow with the number of items.
    """
    workers = workers or min(8, (os.cpu_count() or 1) + 1)
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    remaining = iter(items)
    try:
        for done in range(1, len(items) + 1):
            ahead = _AHEAD * workers - len(waiting)
            waiting.extend(pool.submit(function, item) for item in islice(remaining, ahead))
            result = waiting.popleft().result()
            progress(what, done, len(items))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
