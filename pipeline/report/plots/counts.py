"""Plots of the numbers of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from pipeline.report.plots.theme import BLUE, GREEN, ORANGE, WIDTH, Plot, draw, rows

NAMED = 30  # classes that have a bar with a name of its own
_COLORS = {"train": BLUE, "valid": ORANGE, "test": GREEN}


def class_counts(counts: Mapping[str, Mapping[str, int]]) -> Plot:
    """Return the number of images of each class. counts: by split and class.

    Up to NAMED classes have a named bar each, divided by split; more are drawn by rank, the largest first.
    """
    classes = sorted({name for by_class in counts.values() for name in by_class})
    totals = {name: sum(by_class.get(name, 0) for by_class in counts.values()) for name in classes}
    largest, smallest = max(classes, key=totals.__getitem__), min(classes, key=totals.__getitem__)
    text = (
        f"{len(classes)} classes; the largest is {largest} with {totals[largest]:,} images, the smallest {smallest} "
        f"with {totals[smallest]:,}."
    )
    if len(classes) <= NAMED:
        return draw(
            _named(classes, counts),
            title="Images by class and split",
            caption="Bars of equal length are best: a class with few images is learned worse, and measured worse.",
            text=text,
        )
    return draw(
        _ranked(classes, counts),
        title="Images by class, the largest first",
        caption="A flat line is best. A long tail to the right is classes with few images, which are learned and "
        "measured worse.",
        text=text,
    )


def _named(classes: list[str], counts: Mapping[str, Mapping[str, int]]) -> Any:
    values = [
        {"class": name, "split": split, "at": at, "images": by_class.get(name, 0)}
        for at, (split, by_class) in enumerate(counts.items())
        for name in classes
    ]
    color = alt.Color("split:N", sort=None).scale(
        domain=list(counts), range=[_COLORS.get(split, GREEN) for split in counts]
    )
    return (
        alt.Chart(rows(values), width=WIDTH - 20, height=alt.Step(16))
        .mark_bar()
        .encode(
            y=alt.Y("class:N", title=None, sort=classes),
            x=alt.X("images:Q", title="images").axis(tickCount=5),
            color=color,
            order=alt.Order("at:O"),
        )
    )


def _ranked(classes: list[str], counts: Mapping[str, Mapping[str, int]]) -> Any:
    values = [
        {"rank": rank, "split": split, "images": images}
        for split, by_class in counts.items()
        for rank, images in enumerate(sorted((by_class.get(name, 0) for name in classes), reverse=True), 1)
    ]
    color = alt.Color("split:N", sort=None).scale(
        domain=list(counts), range=[_COLORS.get(split, GREEN) for split in counts]
    )
    return (
        alt.Chart(rows(values), width=WIDTH, height=180)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("rank:Q", title="classes, by number of images").axis(tickCount=6),
            y=alt.Y("images:Q", title="images of the class").axis(tickCount=5),
            color=color,
            strokeDash=alt.StrokeDash("split:N", legend=None).scale(  # lines of equal splits cover each other
                domain=list(counts), range=[[3, 3] if split == "test" else [1, 0] for split in counts]
            ),
        )
    )
