"""What training changes: model, optimizer, learning rate schedule and history."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from hyperparameters import Hyperparameters
from sampling import train_batches


@dataclass(slots=True)
class TrainingState:
    """The state of a training run, everything a checkpoint must hold.

    model: not wrapped by DistributedDataParallel.
    optimizer: optimizer of the model's trainable parameters.
    scheduler: learning rate schedule; one step per batch.
    scaler: scales losses of float16, whose gradients would vanish; does nothing for other precisions.
    history: the metrics of each completed epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    scaler: torch.amp.GradScaler
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def initial(
        cls,
        model: nn.Module,
        groups: list[dict[str, Any]],
        images: int,
        hyperparameters: Hyperparameters,
        precision: torch.dtype,
    ) -> TrainingState:
        """Return the state before the first epoch.

        groups: the model's parameters, as the optimizer gets them.
        images: number of training images.
        """
        batches = train_batches(images, hyperparameters.batch_size, hyperparameters.seed, epoch=1)
        optimizer = _optimizer(groups, hyperparameters)
        schedule = partial(_warmup_cosine, hyperparameters.epochs * len(batches))
        device = next(model.parameters()).device.type
        scaler = torch.amp.GradScaler(device, enabled=precision == torch.float16)
        return cls(model, optimizer, LambdaLR(optimizer, schedule), scaler)


def _optimizer(groups: list[dict[str, Any]], hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    lr, weight_decay = hyperparameters.learning_rate, hyperparameters.weight_decay
    if hyperparameters.optimizer == "sgd":
        return torch.optim.SGD(groups, lr, momentum=0.9, weight_decay=weight_decay, nesterov=True)
    return torch.optim.AdamW(groups, lr, weight_decay=weight_decay)


def _warmup_cosine(steps: int, step: int) -> float:
    """Return the factor of the learning rate: linear warm-up over 5 % of the steps, then cosine decay to zero."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
