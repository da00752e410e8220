"""Find a learning rate: train a few steps with a rate that grows exponentially, and look where the loss falls.

Smith, "Cyclical learning rates for training neural networks", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RESULT = "learning-rate.json"  # in the model folder; ml/jobs/learning_rate.py reads it
LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
_SMOOTHING = 0.9
_DIVERGED = 4.0  # times the lowest loss
_LEAST_FALL = 0.02  # of the first loss; less is noise


@dataclass(frozen=True, slots=True)
class Curve:
    """What was measured.

    rates: learning rate of each step that did not diverge.
    losses: smoothed loss before it.
    suggested: the peak learning rate to train with; None if the loss never fell.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggested: float | None


def find(
    step: Callable[[float], float], *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS
) -> Curve:
    """Call `step` with growing learning rates until the loss diverges.

    step: trains on one batch with a learning rate, and returns the loss before the change.
    """
    rates: list[float] = []
    losses: list[float] = []
    average = 0.0
    for number in range(steps):
        rate = lowest * (highest / lowest) ** (number / (steps - 1))
        average = _SMOOTHING * average + (1 - _SMOOTHING) * step(rate)
        smoothed = average / (1 - _SMOOTHING ** (number + 1))  # without the zero that the average starts from
        if not math.isfinite(smoothed) or smoothed > _DIVERGED * min(losses, default=smoothed):
            break
        rates.append(rate)
        losses.append(smoothed)
    return Curve(tuple(rates), tuple(losses), suggest(rates, losses))


def suggest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate at which half of the loss's fall is over; None if it does not fall.

    Chosen by measurement: for six pairs of network and optimizer on handwritten digits it was near the best of eight rates
    from 0.0003 to 1. The steepest place was as good but moves with noise; fastai's "valley" was far too low, as the loss
    falls slowly from the start.
    """
    lowest = min(losses, default=0.0)
    if not losses or losses[0] - lowest < _LEAST_FALL * abs(losses[0]):
        return None
    half = (losses[0] + lowest) / 2
    return next(rate for rate, loss in zip(rates, losses, strict=True) if loss <= half)
