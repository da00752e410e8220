"""What training changes: model, optimizer, learning rate schedule and history."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import torch
from torch.optim.lr_scheduler import LambdaLR

import architectures
from hyperparameters import Hyperparameters
from model import Classifier
from modes import parameter_groups
from sampling import train_batches


@dataclass(slots=True)
class TrainingState:
    """The state of a training run, everything a checkpoint must hold.

    model: not wrapped by DistributedDataParallel.
    optimizer: optimizer of the model's trainable parameters.
    scheduler: learning rate schedule; one step per batch.
    history: the metrics of each completed epoch.
    """

    model: Classifier
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def initial(cls, model: Classifier, images: int, hyperparameters: Hyperparameters) -> TrainingState:
        """Return the state before the first epoch. images: number of training images."""
        batches = train_batches(images, hyperparameters.batch_size, hyperparameters.seed, epoch=1)
        optimizer = _optimizer(model, hyperparameters)
        schedule = partial(_warmup_cosine, hyperparameters.epochs * len(batches))
        return cls(model, optimizer, LambdaLR(optimizer, schedule))


def _optimizer(model: Classifier, hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    groups = parameter_groups(model, architectures.resolve(hyperparameters.architecture), hyperparameters)
    if hyperparameters.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups)


def _warmup_cosine(steps: int, step: int) -> float:
    """Return the factor of the learning rate: linear warm-up over 5 % of the steps, then cosine decay to zero."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
