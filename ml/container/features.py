"""The features of a frozen backbone, computed once per image and view, in files that later jobs can read.

A folder of features has features.json and, per split, an array <split>.npy [images, views, D]. The training split has
the precision of the forward pass, and more than one view if the recipe asks for them. The other splits are float32 with
one view, so that evaluation on features gives what the exported model gives on the images.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from augmentation import Augmentation, Changes
from dataset import Split, Splits, stream
from errors import InputError
from examples import FeatureExamples
from folding import fold_batch_norms
from precision import channels_last
from preprocess import Preprocess
from run import Run
from stop import TrainingStopped

INDEX = "features.json"
VERSION = 1
_REPORT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Backbone:
    """A frozen backbone that computes features.

    network: images [N, channels, image_size, image_size] to features [N, D].
    key: what decides its features: architecture, weights, image size, precision, views and their augmentation.
    precision: of the forward pass over the training split.
    augmentation: of all views of a training image but the first.
    """

    network: nn.Module
    key: dict[str, Any]
    precision: torch.dtype
    augmentation: Augmentation


def compute(run: Run, splits: Splits, backbone: Backbone, folder: Path) -> dict[str, FeatureExamples]:
    """Compute the features of all splits into a folder, and return them. Resumes what the folder has of them. Collective.

    Every rank gets all features. Raises TrainingStopped after SIGTERM, InputError for an image that cannot be decoded, or
    if the folder has the features of another backbone or data set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = json.loads(json.dumps({"version": VERSION, "key": backbone.key, **splits.description()}))
    found = _read_json(folder / INDEX)
    if found is not None and {**found, "complete": False} != {**index, "complete": False}:
        raise InputError(
            f"{folder} has the features of another backbone or data set; use an empty checkpoint location"
        )
    _write_json(folder / INDEX, {**index, "complete": False})
    examples = {
        name: FeatureExamples(split, _compute_split(run, split, splits.preprocess, backbone, folder))
        for name, split in splits.splits.items()
    }
    _write_json(folder / INDEX, {**index, "complete": True})
    return examples


def read(
    folder: Path, key: dict[str, Any], names: Sequence[str] = ()
) -> tuple[Splits, dict[str, FeatureExamples]]:
    """Read the features of channel `features`, memory-mapped.

    names: splits to read, by default all: the trials of a search must not see the test split.
    Raises InputError if they are not complete, or were computed for another key.
    """
    index = _read_json(folder / INDEX)
    if index is None or not index.get("complete"):
        raise InputError(
            f"channel 'features' has no complete {INDEX}; run the job that computes features again"
        )
    if different := [name for name in key if index["key"].get(name) != key[name]]:
        raise InputError(
            f"channel 'features' has features for another {', '.join(different)}; compute them again with --task features"
        )
    if missing := sorted(set(names) - set(index["splits"])):
        raise InputError(f"channel 'features' has no features of split {missing[0]}; compute them again")
    wanted = {name: index["splits"][name] for name in names or index["splits"]}
    splits = Splits.from_description({**index, "splits": wanted})
    examples = {}
    for name, split in splits.splits.items():
        array = np.load(
            folder / f"{name}.npy", mmap_mode="c"
        )  # torch warns about arrays that cannot be written
        if len(array) != len(split.paths):
            raise InputError(
                f"channel 'features' is damaged: {name}.npy has {len(array)} of {len(split.paths)} images"
            )
        examples[name] = FeatureExamples(split, torch.from_numpy(array))
    return splits, examples


def _compute_split(
    run: Run, split: Split, preprocess: Preprocess, backbone: Backbone, folder: Path
) -> torch.Tensor:
    """Return the features of a split, [images, views, D], memory-mapped."""
    training = split.name == "train"
    views, precision = (
        (run.hyperparameters.feature_views, backbone.precision) if training else (1, torch.float32)
    )
    compute = _Forward(backbone, preprocess, precision, run.group.device)
    shape = (len(split.paths), views, compute.dimension)
    order = split.order()
    array, start = _open(
        folder / f"{split.name}.npy", shape, "<f4" if precision == torch.float32 else "<f2", order
    )
    start = int(run.group.minimum([start])[0])
    drawn = _draw(run, len(split.paths), views, backbone.augmentation)
    group = run.group
    rounds = order[start:].split(compute.block * group.world_size)
    shares = [rows[group.rank :: group.world_size] for rows in rounds]
    report, done = _Report(run, split.name, start, len(split.paths)), start
    for rows, mine, pixels in zip(rounds, shares, stream(split, preprocess, shares), strict=True):
        if group.any(run.stop.received):
            _save_progress(array, done, order)
            run.log(f"stopped after the features of {done} images of split {split.name}")
            raise TrainingStopped
        computed = [compute(pixels, changes and changes[mine]) for changes in drawn]
        array[rows.numpy()] = group.gather(torch.stack(computed, dim=1), len(rows)).cpu().numpy()
        done += len(rows)
        if report(done):
            _save_progress(array, done, order)
    _save_progress(array, len(array), order)
    return torch.from_numpy(array)


class _Forward:
    """The backbone's forward pass over uint8 images, in blocks of one size.

    An image's features depend in the last bits on the size of its batch. With blocks of one size, neither the number of
    ranks nor an interruption changes them.
    """

    def __init__(
        self, backbone: Backbone, preprocess: Preprocess, precision: torch.dtype, device: torch.device
    ) -> None:
        # Convolutions are fastest on few images at a time on a CPU: their data stays in its caches.
        self.block = 8 if device.type == "cpu" else 256
        self._preprocess, self._precision, self._device = preprocess, precision, device
        self._augmentation = backbone.augmentation
        size = preprocess.image_size
        example = torch.rand(1, preprocess.channels, size, size, generator=torch.Generator().manual_seed(0))
        network = fold_batch_norms(backbone.network, example.to(device))
        self._network = channels_last(network.to(device, precision))
        self.dimension = self._run(torch.zeros(1, preprocess.channels, size, size, dtype=torch.uint8)).shape[
            1
        ]

    def __call__(self, pixels: torch.Tensor, changes: Changes | None) -> torch.Tensor:
        """Return the features, [N, D], of uint8 [N, channels, resize_size, resize_size].

        changes: of an augmented view; None for the center.
        """
        pixels = pixels.to(self._device, non_blocking=True)
        if changes is None:
            return self._run(self._preprocess.crop(pixels))
        return self._run(self._augmentation.apply(pixels, changes))

    @torch.inference_mode()
    def _run(self, pixels: torch.Tensor) -> torch.Tensor:
        if missing := self.block - len(pixels):
            return self._run(torch.cat([pixels, pixels.new_zeros(missing, *pixels.shape[1:])]))[: len(pixels)]
        inputs = self._preprocess.normalize(pixels).to(self._precision, memory_format=torch.channels_last)
        features: torch.Tensor = self._network(inputs)
        # float16 has three more bits of mantissa than bfloat16, and features are far from its limits.
        return features.float() if self._precision == torch.float32 else features.half()


def _draw(run: Run, count: int, views: int, augmentation: Augmentation) -> list[Changes | None]:
    """Return the changes of each view: None for the first, which is the center."""
    seeds = [run.hyperparameters.seed + 7919 * view for view in range(1, views)]
    return [None, *(augmentation.draw(count, torch.Generator().manual_seed(seed)) for seed in seeds)]


class _Report:
    """Prints every few seconds how far the computation is."""

    def __init__(self, run: Run, split: str, start: int, count: int) -> None:
        self._run, self._split, self._start, self._count = run, split, start, count
        self._began = self._last = time.monotonic()

    def __call__(self, done: int) -> bool:
        """Return whether it was time to report. done: images."""
        now = time.monotonic()
        if now - self._last < _REPORT_SECONDS:
            return False
        self._last = now
        rate = (done - self._start) / (now - self._began)
        self._run.log(
            f"features of split {self._split}: {done} of {self._count} images, {rate:.1f} images/s, "
            f"{(self._count - done) / rate:.0f} s left"
        )
        return True


def _open(
    file: Path, shape: tuple[int, int, int], dtype: str, order: torch.Tensor
) -> tuple[np.memmap[Any, Any], int]:
    """Return the array in a file, created if there is none, and how many images of an order it has the features of."""
    progress = _read_json(file.with_suffix(".json"))
    if progress is not None and progress.get("order") == _digest(order) and file.exists():
        array = np.lib.format.open_memmap(file, mode="r+")
        if array.shape == shape and array.dtype == np.dtype(dtype):
            return array, int(progress["images"])
    return np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(dtype), shape=shape), 0


def _save_progress(array: np.memmap[Any, Any], images: int, order: torch.Tensor) -> None:
    array.flush()
    _write_json(Path(str(array.filename)).with_suffix(".json"), {"images": images, "order": _digest(order)})


def _digest(order: torch.Tensor) -> str:
    return hashlib.sha256(order.numpy().tobytes()).hexdigest()


def _read_json(file: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file, or None if there is no such file or a part of one."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write_json(file: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file atomically."""
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    os.replace(partial, file)
