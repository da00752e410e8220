"""What training changes: model, optimizer, learning rate schedule and history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from early_stopping import EarlyStopping
from ema import WeightAverage
from hyperparameters import Hyperparameters
from optimizers import SGD, AdamW
from schedule import schedule


@dataclass(slots=True)
class TrainingState:
    """The state of a training run, everything a checkpoint must hold.

    model: not wrapped by DistributedDataParallel.
    optimizer: optimizer of the model's trainable parameters.
    scheduler: learning rate schedule; one step per batch.
    scaler: scales losses of float16, whose gradients would vanish; does nothing for other precisions.
    stopping: the best epoch so far, if the recipe stops early.
    average: the moving average of the weights, if the recipe has one.
    history: the metrics of each completed epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    scaler: torch.amp.GradScaler
    stopping: EarlyStopping
    average: WeightAverage | None
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def initial(
        cls,
        model: nn.Module,
        groups: list[dict[str, Any]],
        batches: int,
        hyperparameters: Hyperparameters,
        precision: torch.dtype,
    ) -> TrainingState:
        """Return the state before the first epoch.

        groups: the model's parameters, as the optimizer gets them.
        batches: number of steps per epoch.
        """
        optimizer = _optimizer(groups, hyperparameters)
        steps = hyperparameters.epochs * batches
        device = next(model.parameters()).device.type
        scaler = torch.amp.GradScaler(device, enabled=precision == torch.float16)
        return cls(
            model=model,
            optimizer=optimizer,
            scheduler=schedule(optimizer, steps, hyperparameters.warmup),
            scaler=scaler,
            stopping=EarlyStopping(hyperparameters.patience),
            average=WeightAverage(model, hyperparameters.ema_decay) if hyperparameters.ema_decay else None,
        )

    @property
    def evaluated(self) -> nn.Module:
        """The model that is evaluated after an epoch: the average of the weights, or the model."""
        return self.model if self.average is None else self.average.model

    def end_epoch(self, metrics: dict[str, float]) -> None:
        """Record the metrics of an epoch, and the weights if it is the best one."""
        self.history.append(metrics)
        self.stopping.update(len(self.history), metrics["validation:loss"], self.evaluated.state_dict())

    def use_final_weights(self) -> None:
        """Give the model the weights to export: those of the best epoch if the recipe stops early, or of the last one."""
        self.model.load_state_dict(self.stopping.weights or self.evaluated.state_dict())

    @property
    def final_metrics(self) -> dict[str, float]:
        """The metrics of the epoch whose weights are exported."""
        return self.history[(self.stopping.epoch or len(self.history)) - 1]


def _optimizer(groups: list[dict[str, Any]], hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    lr, weight_decay = hyperparameters.learning_rate, hyperparameters.weight_decay
    if hyperparameters.optimizer == "sgd":
        return SGD(groups, lr, momentum=0.9, weight_decay=weight_decay, nesterov=True)
    return AdamW(groups, lr, weight_decay=weight_decay)
