"""The recipe of a training: what happens between a batch and the gradient, from the hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dataset import Split
from hyperparameters import Hyperparameters
from loss import Loss, class_weights
from mixing import Mixing
from sampling import share, train_batches

# Added to the seed: mixing must not draw what the augmentation of the same epoch draws.
_MIXING = 500_009
_EPOCH_STRIDE = 1_000_003


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training does with its batches.

    hyperparameters: values from the command line.
    labels: int64, of the training images.
    mixing: of the images of a batch.
    loss: that is minimized.
    """

    hyperparameters: Hyperparameters
    labels: torch.Tensor
    mixing: Mixing
    loss: Loss

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, split: Split) -> Recipe:
        """Return the recipe of a training split."""
        classes = len(split.classes)
        weighs = hyperparameters.class_balance == "weights"
        return cls(
            hyperparameters=hyperparameters,
            labels=split.labels,
            mixing=Mixing(classes, hyperparameters.mixup, hyperparameters.cutmix),
            loss=Loss(
                hyperparameters.label_smoothing, class_weights(split.labels, classes) if weighs else None
            ),
        )

    def batches(self, epoch: int) -> list[torch.Tensor]:
        """Return the global batches of indices of an epoch."""
        hyperparameters = self.hyperparameters
        balance = self.labels if hyperparameters.class_balance == "sampling" else None
        return train_batches(
            len(self.labels), hyperparameters.batch_size, hyperparameters.seed, epoch, balance
        )

    def generator(self, epoch: int) -> torch.Generator:
        """Return the generator of an epoch's mixing: on the CPU, the same on every rank."""
        return torch.Generator().manual_seed(self.hyperparameters.seed + _EPOCH_STRIDE * epoch + _MIXING)

    def parts(self, inputs: torch.Tensor, targets: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Split a rank's share of a batch for the accumulation of gradients, of two images or more each."""
        count = min(self.hyperparameters.accumulation_steps, max(1, len(inputs) // 2))
        return list(zip(inputs.tensor_split(count), targets.tensor_split(count), strict=True))

    def smallest_share(self, world_size: int) -> int:
        """Return how many images a rank has at least in a step."""
        smallest = min(map(len, self.batches(1)))
        return min(len(share(smallest, rank, world_size, self.mixing.is_on)) for rank in range(world_size))
