"""Plots of metrics over epochs."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from pipeline.report.documents import Epoch
from pipeline.report.plots.theme import BLUE, GRAY, GREEN, HEIGHT, ORANGE, WIDTH, Plot, draw, rows, whole

_COLORS = {"train": BLUE, "validation": ORANGE}


def curve(history: Sequence[Epoch], metric: str, best: int) -> Plot | None:
    """Return a metric of the training and validation split over epochs; None if the history lacks it.

    metric: "loss" or "accuracy".
    best: the epoch that is marked, from 1.
    """
    values = [
        {"epoch": number, "split": split, "value": epoch[f"{split}:{metric}"]}
        for number, epoch in enumerate(history, 1)
        for split in _COLORS
        if f"{split}:{metric}" in epoch
    ]
    if not values:
        return None
    splits = [split for split in _COLORS if any(value["split"] == split for value in values)]
    color = alt.Color("split:N", sort=None).scale(domain=splits, range=[_COLORS[s] for s in splits])
    x = (
        alt.X("epoch:Q", title="epoch")
        .scale(zero=False, nice=False)
        .axis(values=whole(len(history)), format="d")
    )
    y = alt.Y("value:Q", title=metric).scale(zero=False).axis(tickCount=5, format="~g")
    lines = alt.Chart(rows(values)).mark_line(strokeWidth=2, point={"size": 25}).encode(x=x, y=y, color=color)
    mark = (
        alt.Chart(rows([{"epoch": best}])).mark_rule(color=GRAY, strokeDash=[4, 3]).encode(x=alt.X("epoch:Q"))
    )
    last = {str(v["split"]): v["value"] for v in values}
    return draw(
        alt.layer(mark, lines).properties(width=WIDTH, height=HEIGHT),
        title=metric.capitalize(),
        caption=_CAPTIONS[metric],
        text=f"{metric} after {len(history)} epochs: "
        + ", ".join(f"{split} {value:.4g}" for split, value in last.items())
        + f". The best epoch is {best}.",
    )


_CAPTIONS = {
    "loss": "Both should fall and flatten. If the validation loss rises while the training loss falls, the model learns the "
    "training images by heart: stop earlier (recipe.patience), augment, or add images. The dashed line is the epoch with "
    "the lowest validation loss.",
    "accuracy": "A growing gap between the splits is overfitting. If both are low and flat, the model or the learning rate "
    "is too small.",
}


def learning_rates(history: Sequence[Epoch]) -> Plot | None:
    """Return the learning rate over epochs; None if the history lacks it."""
    values = [
        {"epoch": number, "rate": epoch["learning_rate"]}
        for number, epoch in enumerate(history, 1)
        if "learning_rate" in epoch
    ]
    if not values:
        return None
    chart = (
        alt.Chart(rows(values), width=WIDTH, height=110)
        .mark_line(strokeWidth=2, color=GREEN, point={"size": 25, "color": GREEN})
        .encode(
            x=alt.X("epoch:Q", title="epoch")
            .scale(zero=False, nice=False)
            .axis(values=whole(len(history)), format="d"),
            y=alt.Y("rate:Q", title="learning rate").axis(tickCount=4, format="~g"),
        )
    )
    rates = [value["rate"] for value in values]
    return draw(
        chart,
        title="Learning rate",
        caption="A short warm-up, then a decay to almost nothing at the end of training.",
        text=f"From {rates[0]:.3g} over at most {max(rates):.3g} to {rates[-1]:.3g}.",
    )
