"""Loss, accuracy and learning rate over the epochs of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.report.documents import Epoch
from pipeline.report.inputs import Inputs
from pipeline.report.plots import curves

TITLE = "Training"


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the curves, or what makes them."""
    chosen = inputs.chosen
    if chosen is None or not chosen.history:
        return {
            "plots": [],
            "has_model": chosen is not None,
            "command": inputs.command("train --again" if chosen else "train"),
        }
    history = chosen.history
    best = best_epoch(history)
    drawn = [*(curves.curve(history, metric, best) for metric in ("loss", "accuracy"))]
    rates = [epoch["images_per_second"] for epoch in history if "images_per_second" in epoch]
    return {
        "plots": [plot for plot in (*drawn, curves.learning_rates(history)) if plot],
        "epochs": len(history),
        "best": best,
        "speed": f"{sum(rates) / len(rates):,.0f}" if rates else "",
        "last": [(name, f"{value:.4g}") for name, value in history[-1].items()],
    }


def best_epoch(history: Sequence[Epoch]) -> int:
    """Return the epoch with the lowest validation loss, or the last one if the history has none, from 1."""
    losses = [
        (epoch["validation:loss"], at) for at, epoch in enumerate(history, 1) if "validation:loss" in epoch
    ]
    return min(losses)[1] if losses else len(history)
