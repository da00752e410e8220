"""One static page about an environment's models: where they were trained, what that took, the search, the versions."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ml.jobs import data, registry
from ml.jobs import search as tune
from ops import outputs as handover
from ops.aws import client
from ops.errors import OperatorError
from ops.facts.prices import prices
from ops.settings import Settings
from pipeline.report import comparison

TEMPLATE = Path(__file__).with_name("page.html.j2")


def collect(settings: Settings) -> dict[str, Any]:
    """What the page tells. Raises OperatorError if there is no foundation, or no data yet."""
    foundation = handover.foundation(settings)
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    try:
        search: tune.Result | None = tune.latest(settings, foundation)
    except OperatorError:
        search = None  # none yet, or of other data
    return {
        "environment": settings.environment,
        "prefix": settings.prefix,
        "region": settings.region,
        "dataset": manifest.dataset,
        "classes": len(manifest.classes),
        "pictures": {split: sum(n.values()) for split, n in manifest.counts.items()},
        "comparison": comparison.rows(settings, foundation),
        "search": search,
        "trials": tune.trials(settings, search.tuning_job) if search else [],
        "versions": registry.versions(settings, foundation),
        "prices": {"region": prices()["region"], "as_of": prices()["as_of"]},
    }


def render(found: dict[str, Any], now: datetime | None = None) -> str:
    """The page, of one file, without scripts and links to elsewhere. now: by default, the present."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    moment = (now or datetime.now(timezone.utc)).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    rows = found["comparison"]
    longest = max((row.billed for row in rows if row.usd != 0), default=0.0)
    dearest = max((row.usd or 0.0 for row in rows), default=0.0)
    return template.from_string(TEMPLATE.read_text()).render(
        **found,
        made=moment,
        cells=list(zip(rows, comparison.cells(rows), strict=True)),
        columns=comparison.COLUMNS,
        longest=longest,
        dearest=dearest,
    )
