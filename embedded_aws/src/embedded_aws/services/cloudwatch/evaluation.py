"""CloudWatch's rule for an alarm's state: M of N datapoints, and what missing ones count as."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend

from embedded_aws.services.cloudwatch import queries
from embedded_aws.services.cloudwatch.data import Series

EXTRA = (
    2  # periods looked at beyond the evaluation periods, so that real points can stand in for missing ones
)
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Rule:
    """When an alarm is in ALARM. `needed` of the latest `periods` points must breach."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Whether a value is on the wrong side of the threshold."""
        return COMPARISONS[self.comparison][0](value, self.threshold)

    def state(self, points: list[float | None], now: str) -> str:
        """The state, given the points of `periods` + EXTRA periods, oldest first, None where missing.

        now: the present state, which is kept where the points do not decide.
        """
        real = [self.breaches(point) for point in points if point is not None]
        if not real:
            filled = {"breaching": "ALARM", "notBreaching": "OK", "ignore": now}
            return filled.get(self.missing, "INSUFFICIENT_DATA")
        latest = real[-self.periods :]
        absent = self.periods - len(latest)
        if absent and self.missing == "breaching":
            return "ALARM" if sum(latest) + absent >= self.needed else "OK"
        if sum(latest) >= self.needed:
            return "ALARM"
        if not absent or self.missing == "notBreaching" or not all(latest):
            return "OK"
        # Too few points, and all of them breach: never an alarm on the first one alone.
        age = len(points) - next(n for n, point in enumerate(points) if point is not None)
        return "ALARM" if self.missing == "missing" and age >= self.needed else now


def rule(alarm: Alarm) -> Rule:
    """An alarm's."""
    periods = int(alarm.evaluation_periods)
    return Rule(
        alarm.comparison_operator,
        float(alarm.threshold),
        periods,
        int(alarm.datapoints_to_alarm or periods),
        alarm.treat_missing_data or "missing",
    )


def period(alarm: Alarm) -> int:
    """Seconds of an alarm's period."""
    return queries.period_of(metric_queries(alarm))


def metric_queries(alarm: Alarm) -> list[dict[str, Any]]:
    """What an alarm watches, as MetricDataQueries of GetMetricData; exactly one returns data."""
    if not alarm.metric_data_queries:
        metric: Any = {
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric_name,
            "Dimensions": [{"Name": d.name, "Value": d.value} for d in alarm.dimensions],
        }
        stat = alarm.statistic or alarm.extended_statistic
        watched = {"Metric": metric, "Period": alarm.period, "Stat": stat, "Unit": alarm.unit}
        return [{"Id": "m1", "MetricStat": watched}]
    found = []
    for query in alarm.metric_data_queries:
        entry: dict[str, Any] = {"Id": query.id, "ReturnData": query.return_data in (None, True, "true")}
        if query.metric_stat:
            metric = query.metric_stat.metric
            entry["MetricStat"] = {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.metric_name,
                    "Dimensions": [{"Name": d.name, "Value": d.value} for d in metric.dimensions],
                },
                "Period": query.metric_stat.period,
                "Stat": query.metric_stat.stat,
                "Unit": query.metric_stat.unit,
            }
        else:
            entry["Expression"] = query.expression
        found.append(entry)
    return found


def points(backend: CloudWatchBackend, alarm: Alarm, end: float, time_scale: float) -> Series:
    """The watched values up to Unix time `end`, the start of a period that is not over, by their periods' start.

    Missing ones are missing.
    """
    watched = metric_queries(alarm)
    span = (rule(alarm).periods + EXTRA) * period(alarm) / time_scale
    results = queries.evaluate(backend.get_all_metrics(), watched, end - span, end, time_scale)
    name = next(q["Id"] for q in watched if q.get("ReturnData", True))
    return results[name]


def evaluate(
    backend: CloudWatchBackend, alarm: Alarm, end: float, time_scale: float
) -> tuple[str, str, list[float]]:
    """The state at Unix time `end`, its reason in CloudWatch's words, and the values it rests on, oldest first."""
    asked, found = rule(alarm), points(backend, alarm, end, time_scale)
    step = period(alarm) / time_scale
    count = asked.periods + EXTRA
    by_period: list[float | None] = [None] * count
    for start, value in found.items():
        number = round((start - (end - count * step)) / step)
        if 0 <= number < count:
            by_period[number] = value
    state = asked.state(by_period, alarm.state_value)
    values = [value for value in by_period if value is not None][-asked.periods :]
    return state, _reason(asked, values, state), values


def _reason(asked: Rule, values: list[float], state: str) -> str:
    words = COMPARISONS[asked.comparison][1]
    if not values:
        counted_as = {"ALARM": ": they count as breaching", "OK": ": they do not count as breaching"}.get(
            state, ""
        )
        return f"Insufficient Data: no datapoints of {asked.periods} were received{counted_as}."
    counted = [v for v in values if asked.breaches(v) == (state == "ALARM")] or values
    shown = ", ".join(f"{value:g}" for value in reversed(counted))
    one = "datapoint" if len(counted) == 1 else "datapoints"
    was = "was" if len(counted) == 1 else "were"
    negated = "" if state == "ALARM" else "not "
    return (
        f"Threshold Crossed: {len(counted)} {one} [{shown}] {was} {negated}{words} the threshold "
        f"({asked.threshold:g}) ({asked.needed} out of the last {asked.periods} datapoints decide)."
    )
