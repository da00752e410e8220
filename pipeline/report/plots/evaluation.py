"""Plots of a model's evaluation on held-out images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from pipeline.report.documents import Bin
from pipeline.report.plots.theme import BLUE, GRAY, HEIGHT, INK, ORANGE, WIDTH, Plot, draw, rows, short

READABLE = 20  # classes up to which the cells of a confusion matrix have their numbers
BINS = 15  # of equal width, as in ml/container/calibration.py
_CELL = 28  # pixels of a cell with a number


def confusion(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> Plot:
    """Return a confusion matrix. matrix: numbers of images, [true class][predicted class]."""
    readable = len(classes) <= READABLE
    values = [
        {
            "true": actual,
            "predicted": predicted,
            "images": images,
            "share": math.sqrt(images / sum(row)),
            "kind": "correct" if actual == predicted else "wrong",
        }
        for actual, row in enumerate(matrix)
        for predicted, images in enumerate(row)
        if images
    ]
    step = _CELL if readable else max(1.5, WIDTH / len(classes))
    width = step * len(classes)
    labels = [short(name, 14) for name in classes]
    names = f"{_expression(labels)}[datum.value]"
    order = list(range(len(classes)))
    axis = (
        {"labelExpr": names, "ticks": False, "domain": False}
        if readable
        else {"labels": False, "ticks": False}
    )
    x = alt.X("predicted:O", title="predicted", sort=order).scale(domain=order, padding=0)
    y = alt.Y("true:O", title="true", sort=order).scale(domain=order, padding=0)
    base = alt.Chart(rows(values)).encode(
        x=x.axis(**axis, labelAngle=-45 if max(map(len, labels)) > 2 else 0), y=y.axis(**axis)
    )
    cells = base.mark_rect().encode(
        color=alt.Color("kind:N").scale(domain=["correct", "wrong"], range=[BLUE, ORANGE]),
        opacity=alt.Opacity("share:Q", legend=None).scale(
            domain=[0, 1], range=[0.08, 0.85] if readable else [0.3, 1]
        ),
    )
    layers = [cells, base.mark_text(fontSize=11).encode(text="images:Q")] if readable else [cells]
    frame = alt.Chart(rows([{}])).mark_rect(fillOpacity=0, stroke=GRAY, strokeOpacity=0.6)
    frame = frame.encode(x=alt.value(0), x2=alt.value(width), y=alt.value(0), y2=alt.value(width))
    wrong = sum(value["images"] for value in values if value["kind"] == "wrong")  # type: ignore[misc]
    total = sum(map(sum, matrix))
    return draw(
        alt.layer(frame, *layers).properties(width=width, height=width),
        title="Confusion matrix",
        caption="Rows are the true classes, columns the predicted ones; the stronger the color, the larger the share of the "
        "row. Everything off the blue diagonal is a mistake; a strong orange cell is a pair of classes that looks alike, "
        "or is labeled inconsistently.",
        text=f"{total - wrong:,} of {total:,} images are on the diagonal, {wrong:,} are not.",
    )


def _expression(labels: Sequence[str]) -> str:
    """Return a list of texts as an expression of Vega."""
    quoted = (label.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ") for label in labels)
    return "[" + ", ".join(f"'{label}'" for label in quoted) + "]"


def reliability(bins: Sequence[Bin]) -> Plot:
    """Return the accuracy of the predictions over their confidence, with the numbers of predictions below."""
    values = [
        {
            "low": at / BINS,
            "high": (at + 1) / BINS,
            "confidence": bin.confidence,
            "accuracy": bin.accuracy,
            "images": bin.count,
        }
        for bin in bins
        for at in [min(BINS - 1, max(0, math.ceil(bin.confidence * BINS) - 1))]
    ]
    x = alt.X("low:Q", title=None).scale(domain=[0, 1]).axis(labels=False, ticks=False)
    diagonal = (
        alt.Chart(rows([{"at": 0}, {"at": 1}]))
        .mark_line(color=INK, strokeDash=[4, 3], opacity=0.7)
        .encode(x=alt.X("at:Q").scale(domain=[0, 1]), y=alt.Y("at:Q"))
    )
    bars = (
        alt.Chart(rows(values))
        .mark_rect(color=BLUE, opacity=0.75)
        .encode(
            x=x,
            x2="high:Q",
            y2=alt.datum(0),
            y=alt.Y("accuracy:Q", title="accuracy").scale(domain=[0, 1]).axis(tickCount=5, format="%"),
        )
    )
    means = alt.Chart(rows(values)).mark_point(filled=True, color=ORANGE, size=40, opacity=1)
    means = means.encode(x=alt.X("confidence:Q"), y=alt.Y("accuracy:Q"))
    numbers = (
        alt.Chart(rows(values), width=WIDTH, height=50)
        .mark_rect(color=GRAY)
        .encode(
            x=alt.X("low:Q", title="confidence").scale(domain=[0, 1]).axis(tickCount=5, format="%"),
            x2="high:Q",
            y=alt.Y("images:Q", title="images").scale(zero=True).axis(tickCount=2, format="~s"),
            y2=alt.datum(0),
        )
    )
    upper = alt.layer(bars, diagonal, means).properties(width=WIDTH, height=HEIGHT)
    words = "; ".join(
        f"{bin.count:,} images at confidence {bin.confidence:.0%}: accuracy {bin.accuracy:.0%}"
        for bin in bins
    )
    return draw(
        alt.vconcat(upper, numbers, spacing=6),
        title="Reliability diagram",
        caption="On the dashed line a confidence of 80% is correct 80% of the time. Bars and points below it: the model is too "
        "sure of itself; above it: it could be surer. Ignore bars with few images below them.",
        text=words,
    )


def differences(names: Sequence[str], values: Sequence[float], before: str, after: str) -> Plot:
    """Return a bar per class: by how much its recall differs between two versions. values: from -1 to 1."""
    data = [
        {"class": short(name), "at": at, "difference": value, "kind": "better" if value > 0 else "worse"}
        for at, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    shown = [short(name) for name in names]
    largest = max(0.01, *(abs(value) for value in values))
    chart = (
        alt.Chart(rows(data), width=WIDTH - 40, height=alt.Step(16))
        .mark_bar()
        .encode(
            y=alt.Y("at:O", title=None, sort=None).axis(labelExpr=f"{_expression(shown)}[datum.value]"),
            x=alt.X("difference:Q", title=f"recall of {after} minus recall of {before}")
            .scale(domain=[-largest, largest])
            .axis(format="+.0%", tickCount=5),
            color=alt.Color("kind:N").scale(domain=["better", "worse"], range=[BLUE, ORANGE]),
        )
    )
    words = ", ".join(f"{name} {value:+.1%}" for name, value in zip(names, values, strict=True))
    return draw(
        chart,
        title="Recall by class, compared",
        caption=f"Bars to the right are classes that {after} recognizes better than {before}. With few images per class, one "
        "image more or less is a long bar.",
        text=words,
    )
