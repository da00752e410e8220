"""Mixup and cutmix: training on mixtures of two images and of their labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Mixing:
    """How the images of a batch are mixed.

    Image 2i of a batch is mixed with image 2i + 1. Batches are shuffled, so that the pairs are random; and a rank that has
    whole pairs (`sampling.share`) needs no images of another.

    classes: number of classes.
    mixup: alpha of mixup (Zhang et al. 2017); 0 for none.
    cutmix: alpha of cutmix (Yun et al. 2019); 0 for none. With both, each batch has one of them, at random.
    """

    classes: int
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def is_on(self) -> bool:
        """Whether batches are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    def apply(
        self, inputs: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mix a batch, or one rank's share of it.

        inputs: float [N, C, H, W], or features [N, D], for which cutmix is mixup with cutmix's alpha.
        labels: int64 [N], on the inputs' device.
        generator: on the CPU, and the same on every rank; the batch's ratio and rectangle are drawn from it.
        Returns inputs and float32 targets [N, classes]; without mixing the inputs and labels, unchanged.
        """
        if not self.is_on:
            return inputs, labels
        # torch has no beta distribution that draws from a generator.
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        cuts = self.cutmix > 0 and (self.mixup == 0 or random.random() < 0.5)
        alpha = self.cutmix if cuts else self.mixup
        share = float(random.beta(alpha, alpha))
        center = random.random(2)
        partner = _partners(len(inputs), inputs.device)
        if cuts and inputs.ndim == 4:
            inputs, share = _paste(inputs, partner, share, center)
        else:
            inputs = inputs.lerp(inputs[partner], 1 - share)
        targets = F.one_hot(labels, self.classes).float()
        return inputs, targets.lerp(targets[partner], 1 - share)


def _partners(count: int, device: torch.device) -> torch.Tensor:
    """Return int64 [count]: the other image of each pair. The last of an odd number is its own partner."""
    return (torch.arange(count, device=device) ^ 1).clamp_(max=count - 1)


def _paste(
    inputs: torch.Tensor, partner: torch.Tensor, share: float, center: np.ndarray
) -> tuple[torch.Tensor, float]:
    """Replace a rectangle by the partner's. Returns the images and the share of each that is left.

    share: of the image to leave, where the rectangle is not cut off by an edge.
    center: of the rectangle, from 0 to 1.
    """
    height, width = inputs.shape[-2:]
    side = math.sqrt(1 - share)
    (top, bottom), (left, right) = (
        (round(max(0.0, middle - side / 2) * length), round(min(1.0, middle + side / 2) * length))
        for middle, length in zip(center, (height, width), strict=True)
    )
    pasted = inputs.clone()
    pasted[..., top:bottom, left:right] = inputs[partner][..., top:bottom, left:right]
    return pasted, 1 - (bottom - top) * (right - left) / (height * width)
