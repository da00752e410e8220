"""Loss, accuracy and confusion per picture, exact over all ranks, and the log lines that report them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from dataset import Pictures, evaluation_batches
from distributed import Ranks
from preprocess import Preprocess


class Metrics:
    """Sums over pictures, from which the averages per picture follow."""

    def __init__(self, classes: int) -> None:
        self.loss_sum = torch.zeros((), dtype=torch.float64)
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)  # [true, predicted]

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Count a batch: logits [N, classes], labels [N]. Returns the batch's summed loss, for its gradient."""
        loss = F.cross_entropy(logits, labels, reduction="sum")
        self.loss_sum += loss.detach().double().cpu()
        pairs = labels * len(self.confusion) + logits.detach().argmax(dim=1)
        counts = torch.bincount(pairs.cpu(), minlength=self.confusion.numel())
        self.confusion += counts.view_as(self.confusion)
        return loss

    def reduce(self, ranks: Ranks) -> Metrics:
        """The same over all ranks."""
        total = Metrics(len(self.confusion))
        total.loss_sum = ranks.sum(self.loss_sum).cpu()
        total.confusion = ranks.sum(self.confusion).cpu()
        return total

    @property
    def count(self) -> int:
        """Number of pictures."""
        return int(self.confusion.sum())

    @property
    def loss(self) -> float:
        """Mean cross-entropy per picture, in nats."""
        return float(self.loss_sum) / self.count

    @property
    def accuracy(self) -> float:
        """Share of the pictures whose most probable class is the true one."""
        return int(self.confusion.trace()) / self.count

    def named(self, split: str) -> dict[str, float]:
        """`{"<split>:loss": …, "<split>:accuracy": …}`, the names that the job's metrics have."""
        return {f"{split}:loss": self.loss, f"{split}:accuracy": self.accuracy}


@torch.inference_mode()
def evaluate(
    model: nn.Module, pictures: Pictures, preprocess: Preprocess, batch_size: int, ranks: Ranks
) -> Metrics:
    """Metrics of a split over all ranks; each evaluates its share of the pictures. Collective."""
    model.eval()
    metrics = Metrics(len(pictures.split.classes))
    share = evaluation_batches(len(pictures), batch_size, ranks.rank, ranks.world_size)
    for images, labels in pictures.batches(share):
        inputs = preprocess.normalise(preprocess.crop(images.to(ranks.device)))
        metrics.add(model(inputs), labels.to(ranks.device))
    return metrics.reduce(ranks)


def metric_line(metrics: Mapping[str, float], epoch: int | None = None) -> str:
    """The log line that the job's metric definitions read: `epoch=3 train:loss=0.123400 …`."""
    values = [
        f"{name}={value:.1f}" if "per_second" in name else f"{name}={value:.6f}"
        for name, value in metrics.items()
    ]
    return " ".join(values if epoch is None else [f"epoch={epoch}", *values])


def check_finite(metrics: Mapping[str, float], epoch: int) -> None:
    """Raises FloatingPointError, naming the epoch, when a value is not a number or infinite."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value} in epoch {epoch}; lower --learning-rate")
