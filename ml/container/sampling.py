"""Which images are in which batch, for training and evaluation."""

from __future__ import annotations

import torch


def train_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[torch.Tensor]:
    """Return the global batches of an epoch: all indices once, shuffled by seed and epoch.

    Batch sizes differ by at most one, so that no step depends on a few remaining images.
    """
    generator = torch.Generator().manual_seed(seed + 1_000_003 * epoch)
    order = torch.randperm(count, generator=generator)
    return list(order.tensor_split(-(-count // batch_size)))


def evaluation_batches(count: int, batch_size: int, rank: int, world_size: int) -> list[torch.Tensor]:
    """Return one rank's batches of a split. Over all ranks, every index appears once."""
    share = torch.arange(count)[rank::world_size]
    return list(share.split(batch_size)) if len(share) else []
