"""One static HTML page about an environment's models: how they were trained, at what cost, the search, the versions."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jinja2

from ml.jobs import data, registry, search, trials
from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts.prices import prices
from pipeline.report import comparison

TEMPLATE = Path(__file__).with_name("page.html.j2")


def write(env: Environment, path: Path) -> list[comparison.Row]:
    """Write the page to a file. Returns the rows of its comparison."""
    with Step("report") as step:
        content = collect(env)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(content), encoding="utf-8")
        step.note = str(path)
    rows: list[comparison.Row] = content["comparison"]
    return rows


def collect(env: Environment) -> dict[str, Any]:
    """Return the content of the page. Raises OperatorError if there is no foundation or no data yet."""
    manifest = data.current(env)
    try:
        result: search.SearchResult | None = search.latest(env)
    except OperatorError:
        result = None  # there is none, or it was tuned on other data
    return {
        "environment": env.settings.environment,
        "prefix": env.settings.prefix,
        "region": env.settings.region,
        "dataset": manifest.dataset,
        "classes": len(manifest.classes),
        "images": {split: sum(n.values()) for split, n in manifest.counts.items()},
        "comparison": comparison.rows(env),
        "search": result,
        "trials": trials.of_search(env, result.tuning_job) if result else [],
        "versions": registry.versions(env),
        "prices": {"region": prices()["region"], "as_of": prices()["as_of"]},
    }


def render(content: dict[str, Any], now: datetime | None = None) -> str:
    """Return the page as one file without scripts and external links. now: by default the current time."""
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    moment = (now or datetime.now(timezone.utc)).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    rows = content["comparison"]
    return template.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        **content,
        made=moment,
        cells=list(zip(rows, comparison.cells(rows), strict=True)),
        columns=comparison.COLUMNS,
        longest=max((row.billed for row in rows if row.usd != 0), default=0.0),
        most_expensive=max((row.usd or 0.0 for row in rows), default=0.0),
    )
