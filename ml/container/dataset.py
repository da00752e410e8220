"""Splits, as folders of images or as shards, and their decoded images."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch

import decoded_cache
from decoded_cache import Encoded
from errors import InputError
from images import ImageError, is_gray
from preprocess import Preprocess
from process_group import ProcessGroup
from shards import Shards, is_sharded, open_shards

# A split that decodes to at most this size is kept in memory, a larger one in a file.
MEMORY_LIMIT = 512 * 2**20  # bytes
_DECODED_TOGETHER = 64  # images
_AHEAD = 3  # batches
_EXPECTED = "expected <class>/<image>"

Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Split:
    """One split: an ImageFolder tree, or shards.

    name: name of the channel.
    paths: image files; `<class>/<file>` of images in shards.
    labels: int64 [len(paths)]; paths[i] is of class classes[labels[i]].
    classes: class names, sorted.
    shards: where the images are, if they are no files.
    """

    name: str
    paths: tuple[Path, ...]
    labels: torch.Tensor
    classes: tuple[str, ...]
    shards: Shards | None = None

    def order(self) -> torch.Tensor:
        """Return the indices of all images in the order in which they are read fastest: int64 [len(paths)]."""
        return torch.tensor(self.shards.positions) if self.shards else torch.arange(len(self.paths))

    def encoded(self, indices: Sequence[int], rank: int = 0, ranks: int = 1) -> Iterator[Encoded]:
        """Yield images that are not decoded. Of several ranks, each yields others.

        indices: of all images that are wanted.
        """
        if self.shards:
            yield from self.shards.read(indices, rank, ranks)
        for index in () if self.shards else indices[rank::ranks]:
            path = self.paths[index]
            yield Encoded(index, _name(path), path)


@dataclass(frozen=True, slots=True)
class Splits:
    """The splits of a job, and the transform of their images.

    splits: name to split; train, valid and, when the job has the channel, test. All have the same classes.
    """

    splits: dict[str, Split]
    preprocess: Preprocess

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return self.splits["train"].classes

    def description(self) -> dict[str, Any]:
        """Return JSON from which from_description makes the same splits, without the images."""
        splits = {
            name: {
                "images": [_name(path) for path in split.paths],
                "labels": split.labels.tolist(),
            }
            for name, split in self.splits.items()
        }
        return {"classes": list(self.classes), "preprocess": asdict(self.preprocess), "splits": splits}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Splits:
        """Return the splits of a description. Their paths are relative, as the images are elsewhere."""
        classes = tuple(description["classes"])
        splits = {
            name: Split(name, tuple(map(Path, content["images"])), torch.tensor(content["labels"]), classes)
            for name, content in description["splits"].items()
        }
        return cls(splits, Preprocess.from_description(description["preprocess"]))


def read_split(name: str, folder: Path) -> Split:
    """List every image of a channel: files `<folder>/<class>/<image>`, or shards.

    Raises InputError without classes, for a class without files, and for a file or folder at another place: `./inv data`
    uploads nothing else, and what training left out would be missing in its counts.
    """
    if is_sharded(folder):
        return _read_shards(name, folder)
    classes: list[str] = []
    paths: list[Path] = []
    labels: list[int] = []
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if not entry.is_dir():
            raise InputError(f"channel {name!r} has a file {entry.name!r} in no class folder; {_EXPECTED}")
        files = sorted(entry.iterdir())
        if not files:
            raise InputError(f"class {entry.name!r} of channel {name!r} has no images")
        if others := [path.name for path in files if not path.is_file()]:
            raise InputError(
                f"class {entry.name!r} of channel {name!r} has a folder {others[0]!r}; {_EXPECTED}"
            )
        paths += files
        labels += [len(classes)] * len(files)
        classes.append(entry.name)
    if not classes:
        raise InputError(f"channel {name!r} has no class folders in {folder}; {_EXPECTED}")
    return Split(name, tuple(paths), torch.tensor(labels), tuple(classes))


def _read_shards(name: str, folder: Path) -> Split:
    shards = open_shards(name, folder)
    paths = tuple(map(Path, shards.names))
    classes = tuple(sorted({path.parent.name for path in paths}))
    number = {label: index for index, label in enumerate(classes)}
    return Split(name, paths, torch.tensor([number[path.parent.name] for path in paths]), classes, shards)


def check_count(split: Split, expected: int | None) -> None:
    """Raise InputError if a split does not have the images that the data set's manifest counts. None: it has no count."""
    if expected is not None and len(split.paths) != expected:
        raise InputError(
            f"channel {split.name!r} has {len(split.paths)} images and the data set's manifest has {expected}; run "
            "./inv data again, then this command"
        )


def check_classes(train: Split, other: Split) -> None:
    """Raise InputError when two splits do not have the same classes."""
    missing = sorted(set(train.classes) - set(other.classes))
    unknown = sorted(set(other.classes) - set(train.classes))
    if missing or unknown:
        raise InputError(
            f"channel {other.name!r} does not have the classes of channel {train.name!r}: "
            f"missing {missing or 'none'}, unknown {unknown or 'none'}"
        )


def detect_channels(split: Split) -> int:
    """Return 1 when every image is grayscale, otherwise 3. Raises InputError, with the file, as SplitImages."""

    def is_gray_image(image: Encoded) -> bool:
        return _read(image.name, lambda: is_gray(image.content))

    images = split.encoded(range(len(split.paths)))
    if split.shards:  # threads would read all of them ahead
        return 1 if all(map(is_gray_image, images)) else 3
    with ThreadPoolExecutor(_available_cpus()) as pool:
        return 1 if all(pool.map(is_gray_image, images)) else 3


class SplitImages:
    """The decoded images of a split, in memory when they fit, otherwise memory-mapped. Each image is decoded once.

    Raises InputError, with the file, for an image that cannot be decoded.
    """

    def __init__(
        self,
        split: Split,
        preprocess: Preprocess,
        group: ProcessGroup,
        folder: Path,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        """Decode the images. Collective.

        folder: for the memory-mapped file; the ranks of a host share it.
        memory_limit: bytes.
        """
        self.split = split
        count, channels, size = len(split.paths), preprocess.channels, preprocess.resize_size
        if split.shards is None and count * channels * size**2 <= memory_limit:
            self._images = torch.cat(
                list(stream(split, preprocess, torch.arange(count).split(_DECODED_TOGETHER)))
            )
            return
        # The first rank of a host creates the file, before the others open it.
        if group.local_rank == 0:
            decoded_cache.create(folder / split.name, count, channels, size)
        group.barrier()
        cache = decoded_cache.create(folder / split.name, count, channels, size)
        cache.fill(
            split.encoded(cache.missing().tolist(), group.local_rank, group.local_size),
            lambda data: preprocess.decode(data).numpy(),
            _available_cpus() // group.local_size or 1,
        )
        group.barrier()
        self._images = torch.from_numpy(cache.images)

    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield one batch per tensor of indices: uint8 [N, channels, resize_size, resize_size], int64 [N]."""
        return ((self._images[batch], self.split.labels[batch]) for batch in indices)


def stream(split: Split, preprocess: Preprocess, batches: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Yield the images of each batch of indices: uint8 [N, channels, resize_size, resize_size].

    batches: of a split in shards, in the order of Split.order.

    Decodes a few batches ahead. Threads are enough: Pillow releases the interpreter lock while it decodes.
    Raises InputError, with the file, for an image that cannot be decoded.
    """

    def decode(image: Encoded) -> torch.Tensor:
        return _read(image.name, lambda: preprocess.decode(image.read()))

    wanted = torch.cat([*batches, torch.empty(0, dtype=torch.int64)]).tolist()
    images = split.encoded(wanted)
    waiting: deque[list[Future[torch.Tensor]]] = deque()
    pool = ThreadPoolExecutor(_available_cpus())
    shape = (0, preprocess.channels, preprocess.resize_size, preprocess.resize_size)
    try:
        for batch in batches:
            ahead = list(islice(images, len(batch)))
            if [image.index for image in ahead] != batch.tolist():
                raise ValueError("the batches are not in the order of Split.order")
            waiting.append([pool.submit(decode, image) for image in ahead])
            if len(waiting) > _AHEAD:
                yield _stack(waiting.popleft(), shape)
        while waiting:
            yield _stack(waiting.popleft(), shape)
    finally:
        pool.shutdown(cancel_futures=True)


def _stack(decoded: list[Future[torch.Tensor]], shape: tuple[int, ...]) -> torch.Tensor:
    images = [image.result() for image in decoded]
    return torch.stack(images) if images else torch.empty(shape, dtype=torch.uint8)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _read(name: str, read: Callable[[], Decoded]) -> Decoded:
    try:
        return read()
    except ImageError as error:
        raise InputError(f"{name}: {error}") from error


def _available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
