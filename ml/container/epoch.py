"""One epoch of training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

import architectures
from augmentation import crop_and_flip, random_crops
from dataset import SplitImages
from evaluate import Metrics
from hyperparameters import Hyperparameters
from preprocess import Preprocess
from process_group import ProcessGroup
from sampling import train_batches
from training_state import TrainingState


def train_epoch(
    epoch: int,
    state: TrainingState,
    wrapped: nn.Module,
    images: SplitImages,
    preprocess: Preprocess,
    hyperparameters: Hyperparameters,
    group: ProcessGroup,
    check_stop: Callable[[], None],
) -> Metrics:
    """Train one epoch and return its metrics over all ranks. Collective.

    wrapped: state.model, wrapped by the process group.
    check_stop: called before every step; may raise.
    """
    architecture = architectures.resolve(hyperparameters.architecture)
    # Dropout differs between ranks. Crops are drawn from one generator, the same on every rank.
    torch.manual_seed(hyperparameters.seed + epoch * group.world_size + group.rank)
    generator = torch.Generator().manual_seed(hyperparameters.seed + epoch)
    batches = train_batches(len(images), hyperparameters.batch_size, hyperparameters.seed, epoch)
    share = slice(group.rank, None, group.world_size)
    metrics = Metrics(len(images.split.classes))
    for batch, (pixels, labels) in zip(batches, images.batches([b[share] for b in batches]), strict=True):
        check_stop()
        # Drawn for the global batch, so that the number of ranks does not change what the model sees.
        crops = random_crops(len(batch), preprocess, architecture.natural_images, generator)[share]
        inputs = preprocess.normalize(crop_and_flip(pixels, crops, preprocess).to(group.device))
        loss = metrics.add(wrapped(inputs), labels.to(group.device))
        state.optimizer.zero_grad(set_to_none=True)
        # DDP averages over ranks, whose shares can differ in size. This gives the mean over the global batch.
        (loss * group.world_size / len(batch)).backward()
        state.optimizer.step()
        state.scheduler.step()
    return metrics.reduce(group)
