"""`./inv train --find-lr`: find a learning rate, draw the curve, and say where the rate goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ml.jobs import learning_rate
from ml.jobs.launchers import factory
from ml.jobs.launchers.base import Launcher
from ops.console import Stage, Step, say
from ops.environment import Environment
from pipeline import preflight

_WIDTH, _HEIGHT = 64, 10  # characters of the curve
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_RANGE = 3.0  # a search looks from a third of the suggested rate to three times it


def run(
    env: Environment,
    *,
    launcher: Launcher | None = None,
    on: str = "sagemaker",
    instances: int | None = None,
    again: bool = False,
    stages: list[Stage] | None = None,
) -> dict[str, Any]:
    """Find a learning rate and print it. The options are those of `train.run`; no model is registered."""
    launcher = launcher or factory.create(on, env)
    with Step("find-lr", stages) as step:
        step("looking for an existing job")
        name, found, ran = learning_rate.run(
            env,
            launcher,
            instances=instances,
            again=again,
            on_status=step,
            on_line=lambda line: step(line) if line else None,
            before_start=lambda count: (
                preflight.check_training(env, f"./inv train{env.settings.flag} --find-lr", step.remark, count)
                if launcher.name == "sagemaker"
                else None
            ),
        )
        if not ran:
            step.unchanged()
        setting = f"{found.optimizer}, batch size {found.batch_size}"
        if found.suggested is None:
            step.degrade(
                f"with {setting}, the loss fell at no learning rate: look at the labels, or choose another network"
            )
        else:
            step.note = f"learning rate {found.suggested:.2g} ({setting}){'' if ran else ' (unchanged)'}"
    for line in curve(found.rates, found.losses, found.suggested):
        say(line)
    if found.suggested is not None:
        _advise(env, found.suggested)
    return {**step.ending, "training_job": name, **found.model_dump(), "ran": ran}


def curve(rates: Sequence[float], losses: Sequence[float], suggested: float | None) -> list[str]:
    """Return the loss over the learning rate as lines of text; both axes are labelled, the rate's is logarithmic."""
    if not rates:
        return []
    # What diverges at the end would flatten everything else.
    top, bottom = max(losses[0], min(losses)) * 1.1, min(losses)
    columns = [losses[round(place * (len(losses) - 1) / (_WIDTH - 1))] for place in range(_WIDTH)]
    heights = [
        max(1, round((min(loss, top) - bottom) / ((top - bottom) or 1.0) * _HEIGHT * 8)) for loss in columns
    ]
    lines = []
    for row in reversed(range(_HEIGHT)):
        label = {_HEIGHT - 1: f"{top:.3g}", 0: f"{bottom:.3g}"}.get(row, "")
        bars = "".join(_EIGHTHS[min(8, max(0, height - 8 * row))] for height in heights)
        lines.append(f"{label:>8} │{bars.rstrip()}")
    low, high = f"{rates[0]:.2g}", f"{rates[-1]:.2g}"
    lines.append(f"{'loss':>8} └{'─' * _WIDTH}")
    if suggested is not None:
        share = math.log(suggested / rates[0]) / (math.log(rates[-1] / rates[0]) or 1.0)
        lines.append(f"{' ' * (10 + round(share * (_WIDTH - 1)))}▲ {suggested:.2g}")
    lines.append(f"{' ' * 10}{low}{' ' * (_WIDTH - len(low) - len(high))}{high}  learning rate")
    return lines


def _advise(env: Environment, suggested: float) -> None:
    """Print where the suggested rate goes."""
    low, high = (float(f"{value:.1g}") for value in (suggested / _RANGE, suggested * _RANGE))
    say(f"Next: put the range around it into environments/{env.settings.environment}.toml, then ./inv tune:")
    say("  [tuning.continuous]")
    say(f'  learning-rate = {{ min = {low:g}, max = {high:g}, scaling = "Logarithmic" }}')
    if present := env.settings.tuning.continuous.get("learning-rate"):
        covers = present.min <= suggested <= present.max
        where = "contains it" if covers else "does not contain it"
        say(f"  (the present range, {present.min:g} to {present.max:g}, {where})")
