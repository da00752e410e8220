"""The state of an alarm: M of N datapoints, with CloudWatch's treatments of missing data."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend

from embedded_aws.services.cloudwatch import queries
from embedded_aws.services.cloudwatch.data import Series

EXTRA = 2  # periods before the evaluation periods, whose datapoints replace missing ones
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Rule:
    """An alarm is in ALARM if `needed` of the latest `periods` datapoints breach the threshold."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"
    """TreatMissingData."""

    def breaches(self, value: float) -> bool:
        """Return whether a value breaches the threshold."""
        return bool(COMPARISONS[self.comparison][0](value, self.threshold))

    def state(self, points: list[float | None], now: str) -> str:
        """Return the new state.

        points: values of the last `periods` + EXTRA periods, oldest first; None where missing.
        now: present state, which stays if the points do not decide.
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
        # There are too few points and all breach. One recent point alone is no alarm.
        age = len(points) - next(n for n, point in enumerate(points) if point is not None)
        return "ALARM" if self.missing == "missing" and age >= self.needed else now


def rule(alarm: Alarm) -> Rule:
    """Return the rule of an alarm."""
    periods = int(alarm.evaluation_periods)
    return Rule(
        alarm.comparison_operator,
        float(alarm.threshold),
        periods,
        int(alarm.datapoints_to_alarm or periods),
        alarm.treat_missing_data or "missing",
    )


def period(alarm: Alarm) -> int:
    """Return an alarm's period in seconds."""
    return queries.period_of(metric_queries(alarm))


def metric_queries(alarm: Alarm) -> list[dict[str, Any]]:
    """Return an alarm's metrics as MetricDataQueries of GetMetricData. Exactly one returns data."""
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
    """Return an alarm's values by the start of their period; missing ones are left out.

    end: Unix time of the start of the current period, which is not included.
    """
    watched = metric_queries(alarm)
    span = (rule(alarm).periods + EXTRA) * period(alarm) / time_scale
    results = queries.evaluate(backend.get_all_metrics(), watched, end - span, end, time_scale)
    name = next(q["Id"] for q in watched if q.get("ReturnData", True))
    return results[name]


def evaluate(
    backend: CloudWatchBackend, alarm: Alarm, end: float, time_scale: float
) -> tuple[str, str, list[float]]:
    """Return the state at Unix time `end`, its StateReason, and the evaluated values, oldest first."""
    alarm_rule, found = rule(alarm), points(backend, alarm, end, time_scale)
    step = period(alarm) / time_scale
    count = alarm_rule.periods + EXTRA
    by_period: list[float | None] = [None] * count
    for start, value in found.items():
        number = round((start - (end - count * step)) / step)
        if 0 <= number < count:
            by_period[number] = value
    state = alarm_rule.state(by_period, alarm.state_value)
    values = [value for value in by_period if value is not None][-alarm_rule.periods :]
    return state, _reason(alarm_rule, values, state), values


def _reason(alarm_rule: Rule, values: list[float], state: str) -> str:
    words = COMPARISONS[alarm_rule.comparison][1]
    if not values:
        counted_as = {"ALARM": ": they count as breaching", "OK": ": they do not count as breaching"}.get(
            state, ""
        )
        return f"Insufficient Data: no datapoints of {alarm_rule.periods} were received{counted_as}."
    counted = [v for v in values if alarm_rule.breaches(v) == (state == "ALARM")] or values
    shown = ", ".join(f"{value:g}" for value in reversed(counted))
    one = "datapoint" if len(counted) == 1 else "datapoints"
    was = "was" if len(counted) == 1 else "were"
    negated = "" if state == "ALARM" else "not "
    return (
        f"Threshold Crossed: {len(counted)} {one} [{shown}] {was} {negated}{words} the threshold "
        f"({alarm_rule.threshold:g}) ({alarm_rule.needed} out of the last {alarm_rule.periods} datapoints decide)."
    )
