"""The moving average of the weights, which is evaluated and exported instead of the weights of the last step."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import nn


class WeightAverage:
    """An exponential moving average of the parameters and of BatchNorm's statistics.

    The statistics are averaged like the weights: those of the last step belong to other weights. The decay rises with
    the steps, (1 + n) / (10 + n) up to `decay`, so that a short training is not mostly its start.
    As torch.optim.swa_utils.AveragedModel with use_buffers, which however waits for the GPU twice in every step.

    source: the model that is trained, not wrapped by DistributedDataParallel.
    decay: of each step, 0 to 1.
    """

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.model = deepcopy(source).requires_grad_(False)
        self._source = source
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the source's weights after a step."""
        self._steps += 1
        weight = 1 - min(self._decay, (1 + self._steps) / (10 + self._steps))
        # What is frozen is equal in both.
        pairs: list[tuple[torch.Tensor, torch.Tensor]] = [
            (average, current)
            for average, current in zip(self.model.parameters(), self._source.parameters(), strict=True)
            if current.requires_grad
        ]
        for average, current in zip(self.model.buffers(), self._source.buffers(), strict=True):
            if average.is_floating_point():
                pairs.append((average, current))
            else:
                average.copy_(current)  # BatchNorm's number of batches
        if pairs:
            averages, currents = zip(*pairs, strict=True)
            torch._foreach_lerp_(averages, currents, weight)

    def state_dict(self) -> dict[str, Any]:
        """Return the average for a checkpoint."""
        return {"steps": self._steps, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the average to a checkpoint's."""
        self._steps = int(state["steps"])
        self.model.load_state_dict(state["model"])
