"""Loss, accuracy and confusion matrix, exact over all ranks, and the log lines that report them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from examples import Examples
from precision import autocast
from process_group import ProcessGroup
from sampling import evaluation_batches

CPU = torch.device("cpu")


class Metrics:
    """Sums over images, and the averages per image."""

    def __init__(self, classes: int, device: torch.device = CPU) -> None:
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64, device=device)  # [true, predicted]

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Add a batch: logits [N, classes], int64 labels [N]. Returns the sum of its losses, for the gradient."""
        loss = F.cross_entropy(logits, labels, reduction="sum")
        # On the device: reading a value would wait for all that a GPU has still to compute.
        self.loss_sum += loss.detach()
        pairs = labels * len(self.confusion) + logits.detach().argmax(dim=1)
        self.confusion.view(-1).scatter_add_(0, pairs, torch.ones_like(pairs))
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
    model: nn.Module,
    examples: Examples,
    batch_size: int,
    group: ProcessGroup,
    precision: torch.dtype = torch.float32,
) -> Metrics:
    """Return the metrics of a split over all ranks. Each rank evaluates its share. Collective.

    precision: of the forward pass.
    """
    model.eval()
    metrics = Metrics(len(examples.split.classes), group.device)
    share = evaluation_batches(len(examples.split.labels), batch_size, group.rank, group.world_size)
    for inputs, labels in examples.evaluation_batches(share, group):
        with autocast(group.device, precision):
            logits = model(inputs)
        metrics.add(logits.float(), labels)
    return metrics.reduce(group)


@torch.inference_mode()
def predict_logits(
    model: nn.Module, examples: Examples, batch_size: int, group: ProcessGroup
) -> torch.Tensor:
    """Return the logits of every image of a split, in the order of split.paths: float32 [N, classes]. Collective."""
    model.eval()
    share = evaluation_batches(len(examples.split.labels), batch_size, group.rank, group.world_size)
    rows = [model(inputs) for inputs, _ in examples.evaluation_batches(share, group)]
    empty = torch.zeros(0, len(examples.split.classes), device=group.device)
    return group.gather(torch.cat([*rows, empty]), len(examples.split.labels)).cpu()


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
