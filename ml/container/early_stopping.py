"""Stop when the validation loss no longer falls, and keep the weights of the best epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(slots=True)
class EarlyStopping:
    """The best epoch so far.

    patience: epochs without a lower validation loss after which to stop; 0 never stops and keeps no weights.
    epoch: the best epoch, from 1; 0 before the first.
    loss: its validation loss.
    weights: its state_dict, on the CPU.
    """

    patience: int
    epoch: int = 0
    loss: float = math.inf
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def update(self, epoch: int, loss: float, weights: dict[str, torch.Tensor]) -> None:
        """Record an epoch. weights: state_dict of the model that was validated; copied if it is the best."""
        if self.patience and loss < self.loss:
            self.epoch, self.loss = epoch, loss
            self.weights = {name: value.detach().cpu().clone() for name, value in weights.items()}

    def is_due(self, epoch: int) -> bool:
        """Return whether to stop after an epoch."""
        return self.patience > 0 and epoch - self.epoch >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch for a checkpoint."""
        return {"epoch": self.epoch, "loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the best epoch to a checkpoint's."""
        self.epoch, self.loss, self.weights = state["epoch"], state["loss"], state["weights"]
