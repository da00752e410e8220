"""Loss, accuracy and confusion matrix, exact over all ranks, and the log lines that report them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from dataset import SplitImages
from preprocess import Preprocess
from process_group import ProcessGroup
from sampling import evaluation_batches


class Metrics:
    """Sums over images, and the averages per image."""

    def __init__(self, classes: int) -> None:
        self.loss_sum = torch.zeros((), dtype=torch.float64)
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)  # [true, predicted]

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Add a batch: logits [N, classes], int64 labels [N]. Returns the sum of its losses, for the gradient."""
        loss = F.cross_entropy(logits, labels, reduction="sum")
        self.loss_sum += loss.detach().double().cpu()
        pairs = labels * len(self.confusion) + logits.detach().argmax(dim=1)
        counts = torch.bincount(pairs.cpu(), minlength=self.confusion.numel())
        self.confusion += counts.view_as(self.confusion)
        return loss

    def reduce(self, group: ProcessGroup) -> Metrics:
        """Return the metrics over all ranks. Collective."""
        total = Metrics(len(self.confusion))
        total.loss_sum = group.sum(self.loss_sum).cpu()
        total.confusion = group.sum(self.confusion).cpu()
        return total

    @property
    def count(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def loss(self) -> float:
        """Mean cross-entropy per image, in nats."""
        return float(self.loss_sum) / self.count

    @property
    def accuracy(self) -> float:
        """Share of the images whose most probable class is the true class, 0 to 1."""
        return int(self.confusion.trace()) / self.count

    def named(self, split: str) -> dict[str, float]:
        """Return `{"<split>:loss": …, "<split>:accuracy": …}`, as the job's metric definitions name them."""
        return {f"{split}:loss": self.loss, f"{split}:accuracy": self.accuracy}


@torch.inference_mode()
def evaluate(
    model: nn.Module, images: SplitImages, preprocess: Preprocess, batch_size: int, group: ProcessGroup
) -> Metrics:
    """Return the metrics of a split over all ranks. Each rank evaluates its share. Collective."""
    model.eval()
    metrics = Metrics(len(images.split.classes))
    share = evaluation_batches(len(images), batch_size, group.rank, group.world_size)
    for pixels, labels in images.batches(share):
        inputs = preprocess.normalize(preprocess.crop(pixels.to(group.device)))
        metrics.add(model(inputs), labels.to(group.device))
    return metrics.reduce(group)


def metric_line(metrics: Mapping[str, float], epoch: int | None = None) -> str:
    """Return the log line that the job's metric definitions parse: `epoch=3 train:loss=0.123400 …`."""
    values = [
        f"{name}={value:.1f}" if "per_second" in name else f"{name}={value:.6f}"
        for name, value in metrics.items()
    ]
    return " ".join(values if epoch is None else [f"epoch={epoch}", *values])


def check_finite(metrics: Mapping[str, float], epoch: int) -> None:
    """Raise FloatingPointError, with the epoch, when a value is NaN or infinite."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value} in epoch {epoch}; lower --learning-rate")
