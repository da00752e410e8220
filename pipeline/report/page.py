"""One static HTML page about an environment's data, search, models and costs. It needs no network and no JavaScript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import jinja2
from markupsafe import Markup, escape

from ops.console import Step
from ops.environment import Environment
from pipeline.report import collect, words
from pipeline.report.inputs import Inputs
from pipeline.report.sections import (
    calibration,
    classes,
    confusion,
    cost,
    data,
    lineage,
    mistakes,
    overview,
    search,
    stages,
    training,
    versions,
)

SECTIONS: tuple[ModuleType, ...] = (
    overview,
    stages,
    data,
    search,
    training,
    confusion,
    classes,
    calibration,
    mistakes,
    versions,
    cost,
    lineage,
)
_TEMPLATES = Path(__file__).with_name("templates")


def write(
    env: Environment, path: Path, number: int | None = None, compared: tuple[int, int] | None = None
) -> Inputs:
    """Write the page to a file. Returns what it is made from. number, compared: as of `collect.collect`."""
    with Step("report") as step:
        step("reading data set, search and models")
        inputs = collect.collect(env, number, compared)
        step("drawing the page")
        text = render(inputs)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        about = inputs.chosen.name if inputs.chosen else "no model yet"
        step.note = f"{path} ({about}, {len(text.encode()) / 1e6:.1f} MB)"
    return inputs


def render(inputs: Inputs, sections: Sequence[ModuleType] = SECTIONS) -> str:
    """Return the page as one file without scripts and external resources. sections: modules of `sections`."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["breakable"] = _breakable
    rendered = []
    for section in sections:
        name = section.__name__.rpartition(".")[2]
        text = templates.get_template(f"{name}.html.j2").render(section.content(inputs))
        rendered.append((name, section.TITLE, Markup(text)))
    settings = inputs.settings
    return templates.get_template("page.html.j2").render(
        sections=rendered,
        style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        prefix=settings.prefix,
        environment=settings.environment,
        region=settings.region,
        about=inputs.chosen.name if inputs.chosen else "",
        made=words.moment(inputs.made),
    )


def _breakable(name: str) -> Markup:
    """Return a name that may be broken into lines where a person would break it."""
    return Markup(re.sub(r"(?<=[_/-])(?=\w)", "<wbr>", str(escape(name))))
