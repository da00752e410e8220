"""The loss that training minimizes: cross-entropy with label smoothing, class weights, and hard or mixed labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Loss:
    """A sum over images that is divided by the global batch's sum of weights: exact for every number of ranks.

    smoothing: label smoothing, 0 to 1.
    weights: float32 [classes] on the CPU, or None for equal weights.
    """

    smoothing: float = 0.0
    weights: torch.Tensor | None = None

    def to(self, device: torch.device) -> DeviceLoss:
        """Return the loss for batches on a device."""
        return DeviceLoss(self.smoothing, None if self.weights is None else self.weights.to(device))

    def norm(self, labels: torch.Tensor) -> float:
        """Return what the sum over the images of a global batch is divided by. labels: int64 [N], on the CPU.

        Mixing does not change it: over pairs, the mixed weights have the sum of the weights.
        """
        return float(len(labels) if self.weights is None else self.weights[labels].sum())


@dataclass(frozen=True, slots=True)
class DeviceLoss:
    """The loss of batches on one device."""

    smoothing: float
    weights: torch.Tensor | None

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the sum of the weighted losses.

        logits: [N, classes]; any floating-point type.
        targets: int64 [N], or float32 [N, classes].
        """
        return F.cross_entropy(
            logits.float(), targets, self.weights, reduction="sum", label_smoothing=self.smoothing
        )


def class_weights(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return float32 [classes]: inversely proportional to the number of images of each class; mean over images 1."""
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    return len(labels) / (classes * counts.float())
