"""Which images are in which batch, for training and evaluation."""

from __future__ import annotations

import torch

_EPOCH_STRIDE = 1_000_003  # so that a seed's epochs are not the next seed's


def train_batches(
    count: int, batch_size: int, seed: int, epoch: int, balance: torch.Tensor | None = None
) -> list[torch.Tensor]:
    """Return the global batches of an epoch, shuffled by seed and epoch: all indices once, or balanced by class.

    Batch sizes differ by at most one, so that no step depends on a few remaining images.

    balance: int64 [count], labels of the images. Every class then has the same number of places in the epoch: images of
        small classes appear several times, and those of large ones not in every epoch.
    """
    generator = torch.Generator().manual_seed(seed + _EPOCH_STRIDE * epoch)
    order = torch.randperm(count, generator=generator)
    if balance is not None:
        order = _balanced(order, balance, generator)
    return list(order.tensor_split(-(-count // batch_size)))


def share(count: int, rank: int, world_size: int, pairs: bool = False) -> torch.Tensor:
    """Return one rank's places in a global batch of `count` images: int64, in order.

    pairs: images 2i and 2i + 1 are not separated, as mixing needs.
    """
    places = torch.arange(count)
    return places[(places // 2 if pairs else places) % world_size == rank]


def evaluation_batches(count: int, batch_size: int, rank: int, world_size: int) -> list[torch.Tensor]:
    """Return one rank's batches of a split. Over all ranks, every index appears once."""
    indices = torch.arange(count)[rank::world_size]
    return list(indices.split(batch_size)) if len(indices) else []


def imbalance(labels: torch.Tensor) -> float:
    """Return how many times as many images the largest class has as the smallest one that has any."""
    counts = torch.bincount(labels)
    return float(counts.max() / counts[counts > 0].min())


def _balanced(order: torch.Tensor, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return as many indices as `order`, of every class the same number (or one more), shuffled.

    Within a class, each image appears equally often, or once more.
    """
    present = labels.unique()
    # Which classes get one more changes from epoch to epoch.
    present = present[torch.randperm(len(present), generator=generator)]
    places = torch.arange(len(order)).tensor_split(len(present))
    chosen = []
    for label, place in zip(present, places, strict=True):
        members = order[labels[order] == label]  # shuffled
        chosen.append(members.repeat(-(-len(place) // len(members)))[: len(place)])
    everything = torch.cat(chosen)
    return everything[torch.randperm(len(everything), generator=generator)]
