"""One epoch of training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from examples import Examples
from hyperparameters import Hyperparameters
from metrics import Metrics, RunningMetrics
from precision import autocast
from process_group import ProcessGroup
from sampling import train_batches
from stop import StopRequest, TrainingStopped
from training_state import TrainingState

_REPORT_SECONDS = 10
_NEVER = math.inf


@dataclass(kw_only=True, frozen=True, slots=True)
class Trainer:
    """What stays the same over the epochs.

    precision: of the forward pass.
    log: prints a line on rank 0.
    """

    hyperparameters: Hyperparameters
    examples: Examples
    precision: torch.dtype
    group: ProcessGroup
    stop: StopRequest
    log: Callable[[str], None]

    def train_epoch(self, epoch: int, state: TrainingState, wrapped: nn.Module) -> Metrics:
        """Train one epoch and return its metrics over all ranks. Collective.

        wrapped: the trained part of the model, wrapped by the process group.
        Raises TrainingStopped after SIGTERM, FloatingPointError, with the step, when a loss is not finite.
        """
        hyperparameters, group = self.hyperparameters, self.group
        # Dropout differs between ranks.
        torch.manual_seed(hyperparameters.seed + epoch * group.world_size + group.rank)
        labels = self.examples.split.labels
        batches = train_batches(len(labels), hyperparameters.batch_size, hyperparameters.seed, epoch)
        metrics = RunningMetrics(len(self.examples.split.classes), group.device)
        guard = _Guard(epoch, len(batches), self)
        loaded = self.examples.training_batches(batches, hyperparameters.seed + epoch, group)
        for batch, (inputs, targets) in zip(batches, loaded, strict=True):
            with autocast(group.device, self.precision):
                logits = wrapped(inputs)
            loss = metrics.add(logits.float(), targets)
            guard.check(loss)
            state.optimizer.zero_grad(set_to_none=True)
            # DDP averages over ranks, whose shares can differ in size. This gives the mean over the global batch.
            state.scaler.scale(loss * group.world_size / len(batch)).backward()
            state.scaler.step(state.optimizer)
            state.scaler.update()
            state.scheduler.step()
        guard.finish()
        return metrics.reduce(group)


class _Guard:
    """Stops an epoch after SIGTERM, or at the first step whose loss is not finite, on all ranks together.

    Every check waits for the device, so that a GPU is checked every 20 steps.
    """

    def __init__(self, epoch: int, steps: int, trainer: Trainer) -> None:
        self._epoch, self._steps, self._trainer = epoch, steps, trainer
        self._interval = 1 if trainer.group.device.type == "cpu" else 20
        self._unchecked: list[torch.Tensor] = []
        self._step = 0
        self._began = self._reported = time.monotonic()

    def check(self, loss: torch.Tensor) -> None:
        """Take the loss of a step, before its backward pass."""
        self._unchecked.append(loss.detach())
        self._step += 1
        if self._step % self._interval == 0:
            self._check()

    def finish(self) -> None:
        """Check the last steps of the epoch."""
        if self._unchecked:
            self._check()

    def _check(self) -> None:
        finite = torch.stack(self._unchecked).isfinite().tolist()
        first = self._step - len(finite) + 1
        bad = next((first + n for n, good in enumerate(finite) if not good), _NEVER)
        self._unchecked.clear()
        group = self._trainer.group
        bad, running = group.minimum([bad, float(not self._trainer.stop.received)])
        if bad != _NEVER:
            raise FloatingPointError(
                f"the loss of step {bad:.0f} of epoch {self._epoch} is not finite; lower --learning-rate"
            )
        if not running:
            raise TrainingStopped
        self._report()

    def _report(self) -> None:
        """Print every few seconds how far the epoch is."""
        now = time.monotonic()
        if now - self._reported >= _REPORT_SECONDS and self._step < self._steps:
            self._reported = now
            left = (now - self._began) / self._step * (self._steps - self._step)
            self._trainer.log(f"epoch {self._epoch}: step {self._step} of {self._steps}, {left:.0f} s left")
