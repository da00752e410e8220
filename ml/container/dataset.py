"""Labelled pictures: ImageFolder splits, their decoded pictures and the batches of an epoch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from errors import InputError
from preprocess import SUFFIXES, ImageError, Preprocess, open_image

# Splits that decode to less than this are kept in memory; larger ones are decoded again every epoch.
MEMORY_LIMIT = 512 * 2**20
GRAYSCALE_MODES = ("1", "L", "LA", "I", "I;16")


@dataclass(frozen=True)
class Split:
    """One split of an ImageFolder tree. paths[i] has the class classes[labels[i]]; classes are sorted."""

    name: str
    paths: tuple[Path, ...]
    labels: torch.Tensor
    classes: tuple[str, ...]


def read_split(name: str, folder: Path) -> Split:
    """List `<folder>/<class>/<picture>`. Raises InputError where there is no class or a class is empty."""
    classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
    if not classes:
        raise InputError(f"channel {name!r} has no class folders in {folder}; expected <class>/<picture>")
    paths: list[Path] = []
    labels: list[int] = []
    for label, class_name in enumerate(classes):
        found = sorted(p for p in (folder / class_name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not found:
            raise InputError(
                f"class {class_name!r} of channel {name!r} has no pictures ({', '.join(SUFFIXES)})"
            )
        paths += found
        labels += [label] * len(found)
    return Split(name, tuple(paths), torch.tensor(labels), classes)


def check_classes(train: Split, other: Split) -> None:
    """Raises InputError when two splits do not have the same classes."""
    missing = sorted(set(train.classes) - set(other.classes))
    unknown = sorted(set(other.classes) - set(train.classes))
    if missing or unknown:
        raise InputError(
            f"channel {other.name!r} does not have the classes of channel {train.name!r}: "
            f"missing {missing or 'none'}, unknown {unknown or 'none'}"
        )


def channels_of(split: Split) -> int:
    """1 when the first picture of every class is grayscale, otherwise 3."""
    firsts = [split.labels.tolist().index(label) for label in range(len(split.classes))]
    modes = [_read(split.paths[first], open_image).mode for first in firsts]
    return 1 if all(mode in GRAYSCALE_MODES for mode in modes) else 3


class Pictures:
    """The decoded pictures of a split, in memory where they fit.

    Raises InputError, naming the file, for one that cannot be decoded.
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
            num_workers=_cpus(),
            pin_memory=torch.cuda.is_available(),
        )
        yield from ((images, labels[batch]) for images, batch in zip(loader, indices, strict=True))

    def _decode_all(self) -> torch.Tensor:
        with ThreadPoolExecutor(_cpus()) as pool:  # PIL decodes without the interpreter's lock
            return torch.stack(list(pool.map(self._dataset.__getitem__, range(len(self)))))


class _DecodedDataset(Dataset):
    def __init__(self, paths: Sequence[Path], preprocess: Preprocess) -> None:
        self._paths = paths
        self._preprocess = preprocess

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return _read(self._paths[index], self._preprocess.decode)


def train_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[torch.Tensor]:
    """The global batches of an epoch: all indices once, shuffled by seed and epoch alone.

    The batches differ in size by at most one, so that no step rests on a few left-over pictures.
    """
    generator = torch.Generator().manual_seed(seed + 1_000_003 * epoch)
    order = torch.randperm(count, generator=generator)
    return list(order.tensor_split(-(-count // batch_size)))


def evaluation_batches(count: int, batch_size: int, rank: int, world_size: int) -> list[torch.Tensor]:
    """The indices of one rank's share of a split: every picture is in exactly one rank's batches, once."""
    share = torch.arange(count)[rank::world_size]
    return list(share.split(batch_size)) if len(share) else []


def random_places(
    count: int, preprocess: Preprocess, mirror: bool, generator: torch.Generator
) -> torch.Tensor:
    """Where to crop each of count training pictures: int64 [count, 3] of top, left and whether to mirror."""
    places = torch.randint(_margin(preprocess) + 1, (count, 2), generator=generator)
    mirrored = torch.randint(2, (count, 1), generator=generator) * int(mirror)
    return torch.cat([places, mirrored], dim=1)


def augment(images: torch.Tensor, places: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """Crop every picture of uint8 [N, C, resize_size, resize_size] at its place, to image_size.

    The places vary over the margin that evaluation crops away, or, where there is none, over a border
    around the picture that repeats its edge.
    """
    size = preprocess.image_size
    if preprocess.resize_size == size:
        border = [_margin(preprocess) // 2] * 4
        images = torch.nn.functional.pad(images.float(), border, mode="replicate").to(torch.uint8)
    top, left, mirrored = places.unbind(dim=1)
    rows = top[:, None] + torch.arange(size)
    columns = left[:, None] + torch.arange(size)
    columns = torch.where(mirrored[:, None].bool(), columns.flip(1), columns)
    # One gather for the whole batch: [N, 1, 1], [N, S, 1] and [N, 1, S] pick [N, S, S, C].
    pick = torch.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]
    return images.permute(0, 2, 3, 1)[pick].permute(0, 3, 1, 2)


def _margin(preprocess: Preprocess) -> int:
    """How far a training crop may move, in pixels: the margin evaluation crops, or an eighth of the picture."""
    return preprocess.resize_size - preprocess.image_size or preprocess.image_size // 16 * 2


def _read(path: Path, reader):
    try:
        return reader(path.read_bytes())
    except ImageError as error:
        raise InputError(f"{path.parent.name}/{path.name}: {error}") from error


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
