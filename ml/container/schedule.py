"""The learning rate over the steps of a training."""

from __future__ import annotations

import math
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(steps: int, warmup: float, step: int) -> float:
    """Return the factor of the learning rate: a linear rise, then cosine decay to zero.

    steps: of the whole training.
    warmup: share of the steps with a rising rate, 0 to 0.9.
    step: from 0.
    """
    rising = min(round(steps * warmup), steps - 1)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


def schedule(optimizer: Optimizer, steps: int, warmup: float) -> LambdaLR:
    """Return the schedule of all parameter groups, each from its own rate. Its `step` follows the optimizer's."""
    return LambdaLR(optimizer, partial(warmup_cosine, steps, warmup))
