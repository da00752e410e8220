"""The optimiser, its learning rate and one epoch of training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from dataset import Pictures, augment, random_places, train_batches
from distributed import Ranks
from evaluate import Metrics
from model import ARCHITECTURES, train_mode
from preprocess import Preprocess
from settings import Hyperparameters


@dataclass
class TrainingState:
    """What training changes: everything that a checkpoint must hold. history: one entry per whole epoch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: LambdaLR
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def start(cls, model: nn.Module, pictures: int, settings: Hyperparameters) -> TrainingState:
        """The state before the first epoch over so many training pictures."""
        optimizer = _optimizer(model, settings)
        steps = settings.epochs * len(train_batches(pictures, settings.batch_size, settings.seed, epoch=1))
        return cls(model, optimizer, LambdaLR(optimizer, partial(_warmup_cosine, steps)))


def train_epoch(
    epoch: int,
    state: TrainingState,
    parallel: nn.Module,
    pictures: Pictures,
    preprocess: Preprocess,
    settings: Hyperparameters,
    ranks: Ranks,
    check_stop: Callable[[], None],
) -> Metrics:
    """One pass over the training split; metrics over all ranks. Collective.

    parallel is state.model, wrapped for the ranks. check_stop is called before every step, and may raise.
    """
    architecture = ARCHITECTURES[settings.architecture]
    train_mode(state.model, architecture.head)
    torch.manual_seed(settings.seed + epoch * ranks.world_size + ranks.rank)  # dropout: every rank its own
    generator = torch.Generator().manual_seed(settings.seed + epoch)
    batches = train_batches(len(pictures), settings.batch_size, settings.seed, epoch)
    mine = slice(ranks.rank, None, ranks.world_size)
    metrics = Metrics(len(pictures.split.classes))
    for batch, (images, labels) in zip(batches, pictures.batches([b[mine] for b in batches]), strict=True):
        check_stop()
        # Drawn for the whole global batch, so that one rank or many see the same pictures.
        places = random_places(len(batch), preprocess, architecture.natural, generator)[mine]
        inputs = preprocess.normalise(augment(images, places, preprocess).to(ranks.device))
        loss = metrics.add(parallel(inputs), labels.to(ranks.device))
        state.optimizer.zero_grad(set_to_none=True)
        # DDP averages over ranks, whose shares may differ in size: this makes it the global batch's mean.
        (loss * ranks.world_size / len(batch)).backward()
        state.optimizer.step()
        state.schedule.step()
    return metrics.reduce(ranks)


def _optimizer(model: nn.Module, settings: Hyperparameters) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay, nesterov=True)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay)


def _warmup_cosine(steps: int, step: int) -> float:
    """Factor of the learning rate: up over the first twentieth of the steps, then a cosine down to zero."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
