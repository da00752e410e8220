"""The look of all plots, and their rendering to SVG.

A plot is drawn when the page is written, so that the page needs no JavaScript, prints, and opens in a mail program. Its
colors are CSS variables of the page: they follow light and dark mode. It is as wide as a phone, and scales.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

WIDTH, HEIGHT = 300, 190  # of the area inside the axes, in CSS pixels
BLUE, ORANGE, GREEN, PURPLE = "var(--blue)", "var(--orange)", "var(--green)", "var(--purple)"
SERIES = (BLUE, ORANGE, GREEN, PURPLE)
GRAY = "var(--gray)"
INK, PAPER = "currentColor", "var(--paper)"
LABEL = 22  # characters of a label on an axis
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_CONFIG: dict[str, Any] = {
    "aria": False,
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": GRAY,
        "gridColor": GRAY,
        "gridOpacity": 0.25,
        "labelColor": INK,
        "labelFontSize": 11,
        "labelLimit": 130,
        "tickColor": GRAY,
        "titleColor": INK,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
    "legend": {
        "direction": "horizontal",
        "labelColor": INK,
        "labelFontSize": 11,
        "orient": "top",
        "title": None,
        "labelLimit": 220,
    },
    "header": {"labelColor": INK, "titleColor": INK},
    "text": {"color": INK, "fontSize": 11},
}


@dataclass(frozen=True)
class Plot:
    """A plot for the page.

    svg: its markup.
    title: what it shows.
    caption: what to look for.
    text: the same as words, for those who do not see it.
    """

    svg: Markup
    title: str
    caption: str
    text: str


def draw(chart: Any, *, title: str, caption: str, text: str) -> Plot:
    """Return a chart of Altair as SVG for the page."""
    drawn = vl_convert.vegalite_to_svg(_drawable(chart.to_dict()), config=_CONFIG)
    # The page has one text for the whole plot, which makes what Vega says about its parts superfluous.
    drawn = re.sub(r' (?:xmlns(?::xlink)?|version|role|aria-[a-z]+)="[^"]*"', "", drawn)
    name = hashlib.sha256(drawn.encode()).hexdigest()[:8]
    drawn = re.sub(r'( id="|url\(#)', rf"\g<1>p{name}-", drawn)  # ids are unique on the page
    return Plot(Markup(drawn), title, caption, text)  # Vega escapes the data


def _drawable(part: Any) -> Any:
    """Return a part of a chart without characters that XML does not have: the renderer ends the process at them."""
    if isinstance(part, dict):
        return {_drawable(name): _drawable(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_drawable(value) for value in part]
    return _NOT_XML.sub("\ufffd", part) if isinstance(part, str) else part


def rows(values: list[dict[str, Any]]) -> alt.InlineData:
    """Return the data of a chart."""
    return alt.InlineData(values=values)


def whole(count: int, first: int = 1) -> list[int]:
    """Return at most ten ticks of an axis that counts from 1, such as epochs. count: the last number."""
    return list(range(first, count + 1, -(-count // 10)))


def short(label: str, limit: int = LABEL) -> str:
    """Return a label that fits an axis."""
    return label if len(label) <= limit else f"{label[: limit - 1]}…"
