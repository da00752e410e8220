"""Recorded metrics as series of one statistic per period."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricDatumBase

from embedded_aws.services.cloudwatch.samples import percentile

Series = dict[float, float]  # Unix time of a period's start → value
BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,10})?|100)")


def check_statistic(stat: str) -> None:
    """Raises ValidationError for a statistic that is neither basic nor a percentile."""
    if stat not in BASIC and not PERCENTILE.fullmatch(stat):
        raise ValidationError(
            f"The embedded AWS does not know the statistic {stat}: it has {', '.join(BASIC)} and percentiles such "
            "as p99."
        )


def unix(moment: datetime) -> float:
    """moto keeps naive UTC times."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def iso(moment: datetime) -> str:
    """A moment as CloudWatch writes it in messages."""
    return datetime.fromtimestamp(unix(moment), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def periods(
    data: Iterable[MetricDatumBase],
    namespace: str,
    name: str,
    dimensions: list[dict[str, str]],
    start: float,
    end: float,
    period: float,
    unit: str | None = None,
) -> dict[float, list[Any]]:
    """The data of a metric with exactly these dimensions, by the start of their period.

    Periods of `period` seconds begin at Unix time `start`; data from `end` on are left out.
    """
    wanted = {(d["Name"], d["Value"]) for d in dimensions}
    found: dict[float, list[Any]] = defaultdict(list)
    for datum in data:
        if datum.name != name or datum.namespace != namespace or unit not in (None, datum.unit):
            continue
        moment = unix(datum.timestamp)
        if start <= moment < end and {(d.name, d.value) for d in datum.dimensions} == wanted:
            found[start + (moment - start) // period * period].append(datum)
    return found


def statistic(data: list[Any], stat: str) -> float | None:
    """One period's value. None where it has none. `stat` is one that `check_statistic` lets pass."""
    if stat.startswith("p"):
        return percentile(data, float(stat[1:]))
    single = [d.value for d in data if hasattr(d, "value")]
    sets = [d for d in data if not hasattr(d, "value")]
    count = len(single) + sum(d.sample_count for d in sets)
    total = sum(single) + sum(d.sum for d in sets)
    if stat == "Sum":
        return float(total)
    if stat == "SampleCount":
        return float(count)
    if stat == "Average":
        return total / count if count else None
    if stat == "Minimum":
        return min(single + [d.min for d in sets])
    return max(single + [d.max for d in sets])


def series(grouped: dict[float, list[Any]], stat: str) -> Series:
    """The periods that have a value, oldest first."""
    values = {start: statistic(data, stat) for start, data in sorted(grouped.items())}
    return {start: value for start, value in values.items() if value is not None}
