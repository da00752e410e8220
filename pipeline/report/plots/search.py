"""Plots of a hyperparameter search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pipeline.report.plots.theme import (
    BLUE,
    GRAY,
    HEIGHT,
    INK,
    ORANGE,
    PAPER,
    WIDTH,
    Plot,
    draw,
    rows,
    short,
    whole,
)

_LOGARITHMIC = 20  # an axis is logarithmic if its largest value is so many times its smallest


@dataclass(frozen=True)
class Point:
    """A trial that has an objective. number: from 1, in time order. parameters: tuned hyperparameters, as text."""

    number: int
    objective: float
    parameters: dict[str, str]
    usd: float | None = None


def objectives(points: Sequence[Point], metric: str) -> Plot:
    """Return the objective of each trial and the best so far. metric: what the objective is."""
    values, best = [], -math.inf
    for point in points:
        best = max(best, point.objective)
        values.append({"trial": point.number, "objective": point.objective, "best": best})
    base = alt.Chart(rows(values), width=WIDTH, height=HEIGHT).encode(
        x=alt.X("trial:Q", title="trial")
        .scale(zero=False, nice=False, padding=8)
        .axis(values=whole(points[-1].number), format="d")
    )
    y = alt.Y("objective:Q", title=metric).scale(zero=False, nice=True).axis(tickCount=5, format="~g")
    chart = base.mark_line(interpolate="step-after", color=ORANGE, strokeWidth=2).encode(
        y=alt.Y("best:Q", title=metric)
    ) + base.mark_circle(color=BLUE, size=45, opacity=1).encode(y=y)
    winner = max(points, key=lambda point: point.objective)
    return draw(
        chart,
        title="Objective over trials",
        caption="Each point is a trial, the line is the best so far. If it still rises at the end, more trials "
        "(tuning.max_jobs) may find better values.",
        text=f"{len(points)} trials; the best {metric} is {best:.4f}, of trial {winner.number}.",
    )


class _Scale:
    """Where the values of one axis are, from 0 to 1: numbers on a linear or logarithmic scale, other values evenly."""

    def __init__(self, values: Sequence[str], *, linear: bool = False) -> None:
        distinct = sorted(set(values))
        numbers = [_number(value) for value in distinct]
        self._numeric = all(number is not None for number in numbers)
        self._log = False
        if self._numeric:
            known = [number for number in numbers if number is not None]
            self._low, self._high = min(known), max(known)
            self._log = not linear and self._low > 0 and self._high / self._low >= _LOGARITHMIC
            ends = {f"{self._low:.4g}": self._low, f"{self._high:.4g}": self._high}
            self.ticks = [(label, self.place(str(value))) for label, value in ends.items()]
        else:
            self._order = {value: at / max(1, len(distinct) - 1) for at, value in enumerate(distinct)}
            self.ticks = list(self._order.items()) if len(distinct) <= 6 else []

    def place(self, value: str) -> float:
        """Return the place of a value."""
        if not self._numeric:
            return self._order[value] if len(self._order) > 1 else 0.5
        number = _number(value)
        assert number is not None
        if self._high == self._low:
            return 0.5
        low, high = self._low, self._high
        if self._log:
            number, low, high = math.log(number), math.log(low), math.log(high)
        return (number - low) / (high - low)


def parallel_coordinates(points: Sequence[Point], metric: str) -> Plot:
    """Return one line per trial over one axis per hyperparameter; the last axis is the objective."""
    names = sorted({name for point in points for name in point.parameters})
    scales = {name: _Scale([point.parameters.get(name, "") for point in points]) for name in names}
    scales[metric] = _Scale([f"{point.objective:.4g}" for point in points], linear=True)
    best = max(points, key=lambda point: point.objective)
    words = ", ".join(f"{name} {value}" for name, value in sorted(best.parameters.items()))
    chart = alt.layer(*_axes(scales), _lines(points, scales, metric), *_labels(scales)).properties(
        width=max(WIDTH, 62 * len(scales)),
        height=HEIGHT,
        padding={"right": 40, "top": 10, "left": 5, "bottom": 5},
    )
    return draw(
        chart,
        title="Hyperparameters of the trials",
        caption="A line is a trial; it crosses each axis at its value. Where the lines of the best trials run together, the "
        "value matters; where they spread, it does not.",
        text=f"The best trial, {metric} {best.objective:.4f}, has {words}.",
    )


_X = alt.X("axis:O", title=None).axis(None)
_Y = alt.Y("value:Q", title=None).axis(None).scale(domain=[0, 1])


def _lines(points: Sequence[Point], scales: dict[str, _Scale], metric: str) -> Any:
    """Return the lines of the trials, the best one on top."""
    ranked = sorted(points, key=lambda point: -point.objective)
    good = {point.number for point in ranked[: max(1, math.ceil(len(points) / 4))]}
    groups = ["best", "best quarter", "others"]
    values = [
        {
            "trial": point.number,
            "axis": at,
            "value": scale.place(
                f"{point.objective:.4g}" if name == metric else point.parameters.get(name, "")
            ),
            "group": groups[0 if point is ranked[0] else 1 if point.number in good else 2],
        }
        for point in reversed(ranked)
        for at, (name, scale) in enumerate(scales.items())
    ]
    return (
        alt.Chart(rows(values))
        .mark_line(interpolate="monotone")
        .encode(
            x=_X,
            y=_Y,
            detail="trial:N",
            color=alt.Color("group:N", sort=None).scale(domain=groups, range=[ORANGE, BLUE, GRAY]),
            opacity=alt.Opacity("group:N", legend=None).scale(domain=groups, range=[1, 0.9, 0.5]),
            strokeWidth=alt.StrokeWidth("group:N", legend=None).scale(domain=groups, range=[3, 1.5, 1]),
        )
    )


def _axes(scales: dict[str, _Scale]) -> list[Any]:
    """Return the axes with their names."""
    base = alt.Chart(rows([{"axis": at, "name": short(name, 16)} for at, name in enumerate(scales)]))
    names = base.mark_text(angle=330, align="left", dy=-12, fontSize=10)
    return [
        base.mark_rule(color=INK, opacity=0.5).encode(x=_X),
        names.encode(x=_X, y=alt.value(0), text="name:N"),
    ]


def _labels(scales: dict[str, _Scale]) -> list[Any]:
    """Return the values at the axes, with an outline in the color of the page, so that lines do not cross them."""
    values = [
        {"axis": at, "value": place, "label": short(label, 12)}
        for at, scale in enumerate(scales.values())
        for label, place in scale.ticks
    ]
    outlines: tuple[dict[str, Any], ...] = ({"stroke": PAPER, "strokeWidth": 4, "strokeJoin": "round"}, {})
    return [
        alt.Chart(rows(values))
        .mark_text(align="left", dx=4, fontSize=10, **outline)
        .encode(x=_X, y=_Y, text="label:N")
        for outline in outlines
    ]


def importances(found: Sequence[tuple[str, float]], trials: int) -> Plot:
    """Return a bar per hyperparameter. found: names and importances, 0 to 1, the largest first. trials: how many."""
    values = [{"name": short(name), "importance": value, "text": f"{value:.0%}"} for name, value in found]
    base = alt.Chart(rows(values), width=WIDTH - 60, height=alt.Step(20)).encode(
        y=alt.Y("name:N", title=None, sort=None),
        x=alt.X("importance:Q", title="share of the explained differences")
        .axis(format="%", tickCount=4)
        .scale(domain=[0, max(0.05, found[0][1]) * 1.15]),
    )
    chart = base.mark_bar(color=BLUE) + base.mark_text(align="left", dx=4).encode(text="text:N")
    words = ", ".join(f"{name} {value:.0%}" for name, value in found)
    return draw(
        chart,
        title="Importance of the hyperparameters",
        caption=f"Estimated from {trials} trials: by how much the predictions of a random forest get worse when one "
        "hyperparameter is shuffled. Search the important ones further; fix the others.",
        text=words,
    )


def costs(points: Sequence[Point]) -> Plot:
    """Return the cost of each trial with a known one, in USD."""
    known = [point for point in points if point.usd is not None]
    values: list[dict[str, Any]] = [{"trial": point.number, "usd": point.usd} for point in known]
    chart = (
        alt.Chart(rows(values), width=WIDTH, height=120)
        .mark_bar(color=BLUE)
        .encode(
            x=alt.X("trial:O", title="trial").axis(labelAngle=0, values=whole(known[-1].number)),
            y=alt.Y("usd:Q", title="USD").axis(tickCount=4, format="~g"),
        )
    )
    total = sum(point.usd or 0.0 for point in known)
    return draw(
        chart,
        title="Cost per trial",
        caption="At the on-demand list price. A trial far above the others was slower: a larger batch, or more epochs.",
        text=f"{len(known)} trials cost {total:.4f} USD in all, {total / len(known):.4f} USD on average.",
    )


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
