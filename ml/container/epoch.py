"""One epoch of training."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from examples import Examples
from hyperparameters import Hyperparameters
from loss import DeviceLoss
from metrics import Metrics, RunningMetrics
from precision import autocast
from process_group import ProcessGroup
from recipe import Recipe
from stop import StopRequest, TrainingStopped
from training_state import TrainingState

_REPORT_SECONDS = 10
_NEVER = math.inf


@dataclass(kw_only=True, frozen=True, slots=True)
class Trainer:
    """What stays the same over the epochs.

    recipe: what is done with the batches.
    loss: the recipe's, on the device.
    precision: of the forward pass.
    log: prints a line on rank 0.
    """

    hyperparameters: Hyperparameters
    examples: Examples
    recipe: Recipe
    loss: DeviceLoss
    precision: torch.dtype
    group: ProcessGroup
    stop: StopRequest
    log: Callable[[str], None]

    def train_epoch(self, epoch: int, state: TrainingState, wrapped: nn.Module) -> Metrics:
        """Train one epoch and return its metrics over all ranks. Collective.

        wrapped: the trained part of the model, wrapped by the process group.
        Raises TrainingStopped after SIGTERM, FloatingPointError, with the step, when a loss is not finite.
        """
        metrics = RunningMetrics(len(self.examples.split.classes), self.group.device)
        batches = self.recipe.batches(epoch)
        guard = _Guard(epoch, len(batches), self)
        for norm, inputs, targets in self.batches(epoch, batches):
            guard.check(self.add_gradients(state, wrapped, inputs, targets, norm, metrics))
            self.step(state)
        guard.finish()
        return metrics.reduce(self.group)

    def batches(
        self, epoch: int, batches: list[torch.Tensor]
    ) -> Iterator[tuple[float, torch.Tensor, torch.Tensor]]:
        """Yield what an epoch's loss is divided by, and this rank's inputs and targets, for each batch of indices."""
        hyperparameters, group, recipe = self.hyperparameters, self.group, self.recipe
        # Dropout differs between ranks.
        torch.manual_seed(hyperparameters.seed + epoch * group.world_size + group.rank)
        generator = recipe.generator(epoch)
        seed, pairs = hyperparameters.seed + epoch, recipe.mixing.is_on
        loaded = self.examples.training_batches(batches, seed, group, pairs)
        for batch, (inputs, labels) in zip(batches, loaded, strict=True):
            inputs, targets = recipe.mixing.apply(inputs, labels, generator)
            yield recipe.loss.norm(recipe.labels[batch]), inputs, targets

    def add_gradients(
        self,
        state: TrainingState,
        wrapped: nn.Module,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        norm: float,
        metrics: RunningMetrics,
    ) -> torch.Tensor:
        """Compute the gradients of a batch. Returns the sum of this rank's losses. Collective.

        norm: what the sum of all ranks' losses is divided by.
        metrics: to which the batch is added.
        """
        state.optimizer.zero_grad(set_to_none=True)
        # DDP averages over ranks, whose shares can differ in size. This gives the mean over the global batch.
        factor = self.group.world_size / norm
        total = torch.zeros((), device=inputs.device)
        parts = self.recipe.parts(inputs, targets)
        for number, (part, part_targets) in enumerate(parts, 1):
            # The ranks exchange the sum of the gradients, after the last part.
            keeps = number < len(parts) and isinstance(wrapped, nn.parallel.DistributedDataParallel)
            with cast(nn.parallel.DistributedDataParallel, wrapped).no_sync() if keeps else nullcontext():
                with autocast(self.group.device, self.precision):
                    logits = wrapped(part)
                loss = self.loss(logits, part_targets)
                state.scaler.scale(loss * factor).backward()
            labels = part_targets if part_targets.ndim == 1 else part_targets.argmax(dim=1)
            total += metrics.add(logits.float(), labels, loss).detach()
        return total

    def probe(self, state: TrainingState, wrapped: nn.Module) -> Callable[[float], float]:
        """Return a function that trains on the next batch with a learning rate, and returns the loss before. Collective.

        The function raises TrainingStopped after SIGTERM.
        """
        metrics = RunningMetrics(len(self.examples.split.classes), self.group.device)
        batches = (
            batch for epoch in itertools.count(1) for batch in self.batches(epoch, self.recipe.batches(epoch))
        )

        def step(rate: float) -> float:
            if self.group.any(self.stop.received):
                raise TrainingStopped
            norm, inputs, targets = next(batches)
            loss = self.group.sum(self.add_gradients(state, wrapped, inputs, targets, norm, metrics))
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["initial_lr"] / self.hyperparameters.learning_rate
            self.step(state)
            return loss.item() / norm

        return step

    def step(self, state: TrainingState) -> None:
        """Change the weights by the gradients."""
        if self.hyperparameters.clip_norm:
            state.scaler.unscale_(state.optimizer)
            parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.hyperparameters.clip_norm)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.scheduler.step()
        if state.average is not None:
            state.average.update()


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
        """Take the loss of a step, before its weights change."""
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
