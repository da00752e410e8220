"""MetricDataQueries of GetMetricData and of alarms: metrics, and expressions over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricDatumBase

from embedded_aws.services.cloudwatch import expressions
from embedded_aws.services.cloudwatch.data import Series, check_statistic, periods, series


def check(queries: list[dict[str, Any]]) -> None:
    """Raise ValidationError for identifiers, statistics or expressions that cannot be evaluated."""
    known = {query["Id"] for query in queries}
    if len(known) < len(queries):
        raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        if ("MetricStat" in query) == ("Expression" in query):
            raise ValidationError(f"Query {query['Id']} must have either MetricStat or Expression.")
        if "MetricStat" in query:
            check_statistic(query["MetricStat"]["Stat"])
        else:
            unknown = expressions.names(expressions.parse(query["Expression"])) - known
            if unknown:
                raise ValidationError(
                    f"Error in expression '{query['Id']}': unknown identifier {', '.join(sorted(unknown))}."
                )


def period_of(queries: list[dict[str, Any]]) -> int:
    """Return the smallest period of the queries, in seconds."""
    found = [int(q["MetricStat"]["Period"]) for q in queries if "MetricStat" in q]
    return min(found, default=60)


def evaluate(
    data: Iterable[MetricDatumBase],
    queries: list[dict[str, Any]],
    start: float,
    end: float,
    time_scale: float = 1.0,
) -> dict[str, Series]:
    """Return the series of every query by identifier. start, end: Unix times.

    time_scale: how many seconds of a period pass in a real second.
    """
    data = list(data)
    by_id = {query["Id"]: query for query in queries}
    metrics = [query["Id"] for query in queries if "MetricStat" in query]
    step = period_of(queries) / time_scale
    times = [start + n * step for n in range(max(0, round((end - start) / step)))]
    results: dict[str, Series] = {}

    def resolve(name: str, above: frozenset[str]) -> None:
        if name in results:
            return
        if name in above:
            raise ValidationError(f"Error in expression '{name}': it uses itself.")
        query = by_id[name]
        if "MetricStat" in query:
            metric_stat = query["MetricStat"]
            metric = metric_stat["Metric"]
            grouped = periods(
                data,
                metric["Namespace"],
                metric["MetricName"],
                metric.get("Dimensions") or [],
                start,
                end,
                int(metric_stat["Period"]) / time_scale,
                metric_stat.get("Unit"),
            )
            results[name] = series(grouped, metric_stat["Stat"])
            return
        tree = expressions.parse(query["Expression"])
        needed = expressions.names(tree) | set(metrics if expressions.uses_all_metrics(tree) else [])
        for other in sorted(needed):
            resolve(other, above | {name})
        value: Any = expressions.evaluate(tree, results, times, metrics)
        if isinstance(value, list):
            raise ValidationError(f"Error in expression '{name}': it returns an array of time series.")
        results[name] = value if isinstance(value, dict) else dict.fromkeys(times, value)

    for name in by_id:
        resolve(name, frozenset())
    return results
