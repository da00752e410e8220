"""TensorBoard's event files in the output of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from run import Run

FOLDER = "tensorboard"  # below the output data
LARGEST_MATRIX = 200  # classes, above which the confusion matrix is no picture


class EventFiles(Protocol):
    """Where a training writes its curves."""

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an epoch, from 1."""

    def evaluation(self, evaluation: Mapping[str, Any], epochs: int) -> None:
        """Write the evaluation of the trained model, as of evaluation.json, after so many epochs."""

    def close(self) -> None:
        """Write what is left."""


def create(run: Run, history: Sequence[Mapping[str, float]]) -> EventFiles:
    """Return the event files of a run, with the epochs that a resumed one has behind it.

    Other ranks than 0 and trials of a search, which have no test channel, write none. Without TensorBoard, which AWS's
    images can lack, there are none either; one log line says so.
    """
    if not run.group.is_main or "test" not in run.environment.channels:
        return _NoFiles()
    return in_folder(run.environment.output_data_dir / FOLDER, history, run.log)


def in_folder(folder: Path, history: Sequence[Mapping[str, float]], log: Callable[[str], None]) -> EventFiles:
    """Return event files in a folder, if TensorBoard is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log("tensorboard is not installed: there are no event files")
        return _NoFiles()
    files = _Files(SummaryWriter(str(folder)))  # type: ignore[no-untyped-call]
    for number, metrics in enumerate(history, 1):
        files.epoch(number, metrics)
    return files


class _NoFiles:
    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Write nothing."""

    def evaluation(self, evaluation: Mapping[str, Any], epochs: int) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Do nothing."""


class _Files:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an epoch. `train:loss` is `loss/train`: TensorBoard draws what shares a prefix together."""
        for name, value in metrics.items():
            split, _, metric = name.rpartition(":")
            self._writer.add_scalar(f"{metric}/{split}" if split else name, value, number)
        self._writer.flush()

    def evaluation(self, evaluation: Mapping[str, Any], epochs: int) -> None:
        """Write metrics, recall by class and the confusion matrix of the trained model."""
        split = evaluation["split"]
        for name in ("loss", "accuracy", "top5_accuracy", "balanced_accuracy"):
            self._writer.add_scalar(f"final/{split}_{name}", evaluation[name], epochs)
        calibration = evaluation["calibration"]
        for name in ("ece_before", "ece_after"):
            self._writer.add_scalar(f"final/{split}_{name}", calibration[name], epochs)
        rows = [
            f"| {row['class']} | {row['images']} | {row['recall']:.3f} |" for row in evaluation["per_class"]
        ]
        table = "\n".join(["| class | images | recall |", "| --- | --- | --- |", *rows])
        self._writer.add_text(f"recall/{split}", table, epochs)
        if len(evaluation["classes"]) <= LARGEST_MATRIX:
            picture = matrix_picture(torch.tensor(evaluation["confusion_matrix"]))
            self._writer.add_image(f"confusion_matrix/{split}", picture, epochs)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def matrix_picture(confusion: torch.Tensor) -> torch.Tensor:
    """Return a confusion matrix [classes, classes] as an image, uint8 [1, H, W]: dark is the share of its true class."""
    shares = confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    side = max(1, 400 // len(confusion))
    pixels = (255 * (1 - shares)).round().to(torch.uint8)
    return pixels.repeat_interleave(side, 0).repeat_interleave(side, 1)[None]
