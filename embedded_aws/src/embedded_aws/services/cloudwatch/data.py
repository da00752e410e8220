"""Metric data as a series: one statistic per period."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricDatumBase

from embedded_aws.services.cloudwatch.samples import percentile

Series = dict[float, float]  # from the start of a period (Unix time) to its value
BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,10})?|100)")


def check_statistic(stat: str) -> None:
    """Raise ValidationError for a statistic that is neither basic nor a percentile."""
    if stat not in BASIC and not PERCENTILE.fullmatch(stat):
        raise ValidationError(
            f"The embedded AWS does not support the statistic {stat}: use {', '.join(BASIC)} or a percentile such "
            "as p99."
        )


def unix(moment: datetime) -> float:
    """Return a Unix time. moto's times are naive and in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def iso(moment: datetime) -> str:
    """Return a time in the format of CloudWatch's messages."""
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
    """Return the data of a metric with exactly these dimensions, by the start of its period.

    start, end: Unix times; the first period begins at `start`, data at `end` or later is left out.
    period: seconds.
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
    """Return the value of one period's data; None if there is none. stat: one that `check_statistic` accepts."""
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
        return float(min(single + [d.min for d in sets]))
    return float(max(single + [d.max for d in sets]))


def series(grouped: dict[float, list[Any]], stat: str) -> Series:
    """Return the periods that have a value, oldest first."""
    values = {start: statistic(data, stat) for start, data in sorted(grouped.items())}
    return {start: value for start, value in values.items() if value is not None}
