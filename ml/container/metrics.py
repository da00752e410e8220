"""Metrics of a classifier: sums that stay on the device while batches are added, and what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional as F

TOP = 5  # of top5_accuracy; of all classes if there are fewer


class Summing(Protocol):
    """A process group, as far as metrics need it."""

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over the ranks. Collective."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics over a number of images, at least one.

    loss: mean cross-entropy per image, in nats.
    accuracy: share of the images whose most probable class is their class, 0 to 1.
    top5_accuracy: share of the images whose class is among the five most probable, 0 to 1.
    recall: of each class that has images, 0 to 1.
    count: number of images.
    """

    loss: float
    accuracy: float
    top5_accuracy: float
    recall: tuple[float, ...]
    count: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the classes' recalls, 0 to 1: a model that ignores a rare class cannot hide it in the accuracy."""
        return sum(self.recall) / len(self.recall)

    def named(self, split: str) -> dict[str, float]:
        """Return the metrics as the job's metric definitions name them: `{"<split>:loss": …, …}`."""
        return {
            f"{split}:loss": self.loss,
            f"{split}:accuracy": self.accuracy,
            f"{split}:top5_accuracy": self.top5_accuracy,
            f"{split}:balanced_accuracy": self.balanced_accuracy,
        }


class RunningMetrics:
    """Sums over the images of many batches. They stay on the device: adding a batch never waits for a GPU."""

    def __init__(self, classes: int, device: torch.device | str = "cpu") -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._top = torch.zeros((), dtype=torch.float64, device=device)
        self._images = torch.zeros(classes, dtype=torch.float64, device=device)
        self._correct = torch.zeros(classes, dtype=torch.float64, device=device)

    def add(
        self, logits: torch.Tensor, labels: torch.Tensor, loss: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Add a batch: logits [N, classes], int64 labels [N], on the device. Returns the sum of its losses.

        loss: that sum, if it is not that of the plain cross-entropy.
        """
        loss = F.cross_entropy(logits, labels, reduction="sum") if loss is None else loss
        logits = logits.detach()
        correct = (logits.argmax(dim=1) == labels).double()
        self._loss += loss.detach()
        self._top += top_correct(logits, labels).sum()
        self._images.index_add_(0, labels, torch.ones_like(correct))
        self._correct.index_add_(0, labels, correct)
        return loss

    def reduce(self, group: Summing) -> Metrics:
        """Return the metrics over all ranks, which must have added at least one image together. Collective."""
        sums = torch.cat([self._loss.view(1), self._top.view(1), self._images, self._correct])
        total = group.sum(sums).cpu()
        images, correct = total[2:].chunk(2)
        count = images.sum().item()
        present = images > 0
        return Metrics(
            loss=total[0].item() / count,
            accuracy=correct.sum().item() / count,
            top5_accuracy=total[1].item() / count,
            recall=tuple((correct[present] / images[present]).tolist()),
            count=int(count),
        )


def top_correct(logits: torch.Tensor, labels: torch.Tensor, k: int = TOP) -> torch.Tensor:
    """Return which labels, int64 [N], are among the k highest logits, [N, classes]: bool [N]."""
    top = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (top == labels[:, None]).any(dim=1)


def confusion_matrix(predicted: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the number of images by true class (rows) and predicted class: int64 [classes, classes]."""
    pairs = labels * classes + predicted
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def per_class(confusion: torch.Tensor, classes: tuple[str, ...]) -> list[dict[str, str | int | float]]:
    """Return images, recall, precision and F1 of each class, from a confusion matrix [classes, classes].

    A class that is never predicted has precision 0; one without images has recall 0.
    """
    correct = confusion.diagonal().double()
    images, predicted = confusion.sum(dim=1), confusion.sum(dim=0)
    recall = correct / images.clamp(min=1)
    precision = correct / predicted.clamp(min=1)
    f1 = 2 * correct / (images + predicted).clamp(min=1)
    return [
        {"class": name, "images": count, "recall": r, "precision": p, "f1": f}
        for name, count, r, p, f in zip(
            classes, images.tolist(), recall.tolist(), precision.tolist(), f1.tolist(), strict=True
        )
    ]
