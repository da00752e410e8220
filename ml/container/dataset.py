"""ImageFolder splits and their decoded images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from errors import InputError
from images import ImageError, is_gray
from preprocess import Preprocess

# A split that decodes to at most this size is kept in memory. A larger one is decoded again every epoch.
MEMORY_LIMIT = 512 * 2**20  # bytes
_EXPECTED = "expected <class>/<image>"

Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Split:
    """One split of an ImageFolder tree.

    name: name of the channel.
    paths: image files.
    labels: int64 [len(paths)]; paths[i] is of class classes[labels[i]].
    classes: class names, sorted.
    """

    name: str
    paths: tuple[Path, ...]
    labels: torch.Tensor
    classes: tuple[str, ...]


def read_split(name: str, folder: Path) -> Split:
    """List every file of a channel: `<folder>/<class>/<image>`.

    Raises InputError without classes, for a class without files, and for a file or folder at another place: `./inv data`
    uploads nothing else, and what training left out would be missing in its counts.
    """
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
    with ThreadPoolExecutor(_available_cpus()) as pool:
        return 1 if all(pool.map(lambda path: _read(path, is_gray), split.paths)) else 3


class SplitImages:
    """The decoded images of a split, kept in memory when they fit.

    Raises InputError, with the file, for an image that cannot be decoded.
    """

    def __init__(self, split: Split, preprocess: Preprocess, memory_limit: int = MEMORY_LIMIT) -> None:
        self.split = split
        self._dataset = _DecodedDataset(split.paths, preprocess)
        size = len(split.paths) * preprocess.channels * preprocess.resize_size**2
        self._images = self._decode_all() if size <= memory_limit else None

    def __len__(self) -> int:
        return len(self.split.paths)

    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield one batch per tensor of indices: uint8 [N, channels, resize_size, resize_size], int64 [N]."""
        labels = self.split.labels
        if self._images is not None:
            yield from ((self._images[batch], labels[batch]) for batch in indices)
            return
        loader = DataLoader(
            self._dataset,
            batch_sampler=[batch.tolist() for batch in indices],
            num_workers=_available_cpus(),
            pin_memory=torch.cuda.is_available(),
        )
        yield from ((images, labels[batch]) for images, batch in zip(loader, indices, strict=True))

    def _decode_all(self) -> torch.Tensor:
        # Threads are enough: PIL releases the interpreter lock while it decodes.
        with ThreadPoolExecutor(_available_cpus()) as pool:
            return torch.stack(list(pool.map(self._dataset.__getitem__, range(len(self)))))


class _DecodedDataset(Dataset[torch.Tensor]):
    def __init__(self, paths: Sequence[Path], preprocess: Preprocess) -> None:
        self._paths = paths
        self._preprocess = preprocess

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return _read(self._paths[index], lambda path: self._preprocess.decode(path.read_bytes()))


def _read(path: Path, read: Callable[[Path], Decoded]) -> Decoded:
    try:
        return read(path)
    except ImageError as error:
        raise InputError(f"{path.parent.name}/{path.name}: {error}") from error


def _available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
