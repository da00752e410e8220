"""A memory-mapped file of decoded images: each image is decoded and resized once, not once per epoch.

Ranks of one machine share the file, as each of them writes other images. An interrupted run resumes with what is
missing. Values are those of the one decoder (images.py).
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import InputError
from images import ImageError

_IMAGES, _DONE, _KEY = "images.bin", "done.bin", "key.json"
_FLUSH = 4096  # images; at most so many are decoded again after an interruption
_KEEP_FREE = 2**30  # bytes of disk for the model, checkpoints and logs
_AHEAD = 4  # images per decoder that are read before a decoder is free


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image that is not decoded.

    index: its position in the cache.
    name: `<class>/<file>`, for messages.
    content: the bytes of the image, or its file.
    """

    index: int
    name: str
    content: bytes | Path

    def read(self) -> bytes:
        """Return the bytes. Raises InputError, with the name."""
        try:
            return self.content if isinstance(self.content, bytes) else self.content.read_bytes()
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror}") from error


class DecodedCache:
    """The images of one split.

    images: uint8 [count, channels, size, size], memory-mapped. Only those of indices that are not `missing` are valid.
    """

    def __init__(self, images: np.memmap, done: np.memmap) -> None:
        self.images, self._done = images, done

    def missing(self, indices: Collection[int] | None = None) -> np.ndarray:
        """Return the indices that are not decoded yet, of all or of these: int64 [N], ascending."""
        if indices is None:
            return np.flatnonzero(self._done == 0)
        wanted = np.unique(np.fromiter(indices, np.int64, len(indices)))
        return wanted[self._done[wanted] == 0]

    def fill(
        self,
        items: Iterable[Encoded],
        decode: Callable[[bytes], np.ndarray],
        decoders: int,
        progress: Callable[[int], None] = lambda done: None,
    ) -> int:
        """Decode images into the cache and return their number. Images that it has already are skipped.

        items: read in order, a few ahead of the decoders, so that a stream needs no memory for more.
        decode: returns uint8 [channels, size, size]; called in threads, as Pillow releases the interpreter lock.
        decoders: number of threads.
        progress: called with the number of images so far.

        Raises InputError, with the name, for an image that cannot be decoded. What was decoded before it is kept.
        """
        written: list[int] = []
        count = 0
        try:
            for count, index in enumerate(self._decoded(items, decode, decoders), start=1):
                written.append(index)
                if len(written) == _FLUSH:
                    self._mark(written)
                progress(count)
        finally:
            self._mark(written)
        return count

    def _decoded(
        self, items: Iterable[Encoded], decode: Callable[[bytes], np.ndarray], decoders: int
    ) -> Iterator[int]:
        def write(item: Encoded) -> int:
            try:
                self.images[item.index] = decode(item.read())
            except ImageError as error:
                raise InputError(f"{item.name}: {error}") from error
            return item.index

        waiting: deque[Future[int]] = deque()
        pool = ThreadPoolExecutor(decoders)
        try:
            for item in items:
                if self._done[item.index]:
                    continue
                waiting.append(pool.submit(write, item))
                if len(waiting) > decoders * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _mark(self, written: list[int]) -> None:
        """Mark images as decoded, once they are in the file: the machine may stop between the two."""
        if written:
            self.images.flush()
            self._done[written] = 1
            self._done.flush()
            written.clear()


def create(folder: Path, count: int, channels: int, size: int, key: str = "") -> DecodedCache:
    """Open the cache of a split, or create it if there is none of this shape and key.

    Call it on one rank of a machine first, then on the others.

    folder: where its files are; nothing else may be in it.
    count, channels, size: shape of the images, [count, channels, size, size].
    key: what decides the pixels, such as a digest of the file names and of the transform.

    Raises InputError if the disk has no room for it.
    """
    about = {"shape": [count, channels, size, size], "key": key}
    folder.mkdir(parents=True, exist_ok=True)
    if _about(folder) != about:
        (folder / _KEY).unlink(missing_ok=True)
        _allocate(folder / _IMAGES, count * channels * size * size)
        _allocate(folder / _DONE, count)
        (folder / _KEY).write_text(json.dumps(about), encoding="utf-8")
    images = np.memmap(folder / _IMAGES, np.uint8, "r+", shape=(count, channels, size, size))
    done = np.memmap(folder / _DONE, np.uint8, "r+", shape=(count,))
    return DecodedCache(images, done)


def _about(folder: Path) -> object:
    """Return what the folder's cache says that it is; None if it has none, or a damaged one."""
    try:
        return json.loads((folder / _KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _allocate(path: Path, size: int) -> None:
    """Create a file of zeros. Raises InputError if the disk has no room for it.

    Its blocks are reserved: a memory-mapped file with holes on a full disk ends the process without a message.
    """
    path.unlink(missing_ok=True)
    free = max(0, shutil.disk_usage(path.parent).free - _KEEP_FREE)
    if size > free:
        raise InputError(
            f"the decoded images need {size / 2**30:.1f} GiB and the disk of {path.parent} has room for "
            f"{free / 2**30:.1f} GiB: set training.volume_size_gb at least {-(-(size - free) // 2**30)} higher, or a "
            "smaller model.image_size"
        )
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
