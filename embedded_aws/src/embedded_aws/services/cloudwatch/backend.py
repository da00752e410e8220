"""CloudWatch's records: moto's backend, with evaluated alarms, their history, and metric data of bounded size."""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import datetime, timedelta, timezone
from typing import Any

from moto.cloudwatch import urls
from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.core.utils import utcnow

from embedded_aws.runtime import Runtime
from embedded_aws.services.cloudwatch import actions, composite, evaluation
from embedded_aws.services.cloudwatch.data import check_statistic, periods, statistic, unix
from embedded_aws.services.cloudwatch.queries import check, evaluate, period_of
from embedded_aws.services.cloudwatch.samples import Samples

HISTORY = 1000  # entries
RETENTION = timedelta(days=15)  # as for one-minute data on AWS
PERIODS = (10, 20, 30)  # seconds; longer periods are multiples of 60


class EmbeddedCloudWatchBackend(CloudWatchBackend):
    """moto's backend. `evaluator` evaluates its alarms."""

    runtime: Runtime
    _url_module = urls  # moto derives it from __module__ otherwise

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.alarm_history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.changing_composites = threading.RLock()  # held while one change of state leads to others

    def put_metric_alarm(self, name: str, *args: Any, **settings: Any) -> Alarm:
        """Create or change an alarm; with a rule it is a composite alarm.

        A new alarm is in INSUFFICIENT_DATA, a changed one keeps its state.
        """
        before = self.alarms.get(name)
        if before and (before.rule is None) != (settings.get("rule") is None):
            raise ValidationError(f"The alarm {name} exists with another type.")
        alarm = super().put_metric_alarm(name, *args, **settings)
        try:
            actions.check(alarm)
            if alarm.rule is None:
                _check_metric_alarm(alarm)
            else:
                composite.check(self, name, alarm.rule)
        except Exception:
            self.alarms.pop(name)
            if before:
                self.alarms[name] = before
            raise
        if before:
            for member in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
                setattr(alarm, member, getattr(before, member))
        else:
            alarm.state_value = "INSUFFICIENT_DATA"
        done = "updated" if before else "created"
        self.note(alarm, "ConfigurationUpdate", f'Alarm "{name}" {done}', {"type": done.title()[:-1]})
        if alarm.rule is not None:
            reason = f"{alarm.alarm_arn} was {done} and its alarm rule evaluates to {{state}}"
            composite.evaluate(self, alarm, reason)
        return alarm

    def delete_alarms(self, alarm_names: list[str]) -> None:
        composite.check_deletion(self, alarm_names)
        for name in alarm_names:
            if name in self.alarms:
                alarm = self.alarms[name]
                self.note(alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', {"type": "Delete"})
        super().delete_alarms(alarm_names)

    def set_alarm_state(self, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        """Set a state until the next evaluation, and run the actions of the change."""
        before = self.alarms[alarm_name].state_value if alarm_name in self.alarms else ""
        super().set_alarm_state(alarm_name, reason, reason_data, state_value)
        self.changed_state(self.alarms[alarm_name], before)

    def changed_state(self, alarm: Alarm, before: str, above: frozenset[str] = frozenset()) -> None:
        """Record a change of an alarm's state, and run its actions. above: names of the alarms whose change caused it."""
        del alarm.history[:-1]  # moto keeps all states
        if alarm.state_value == before:
            return
        summary = f"Alarm updated from {before} to {alarm.state_value}"
        data = {
            "version": "1.0",
            "oldState": {"stateValue": before},
            "newState": {"stateValue": alarm.state_value, "stateReason": alarm.state_reason},
        }
        self.note(alarm, "StateUpdate", summary, data)
        actions.notify(self, alarm, before)
        composite.follow(self, alarm, above)

    def note(self, alarm: Alarm, kind: str, summary: str, data: dict[str, Any]) -> None:
        """Add an entry to the history. kind: ConfigurationUpdate, StateUpdate or Action."""
        self.alarm_history.appendleft(
            {
                "AlarmName": alarm.name,
                "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
                "Timestamp": utcnow(),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps(data),
            }
        )

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """Record metric data. A list of values becomes one datum, so that a busy metric stays small."""
        plain = [member for member in metric_data if not member.get("Values")]
        for number, member in enumerate(metric_data, 1):
            self._validate_parameters_put_metric_data(member, number)
        super().put_metric_data(namespace, plain)
        for member in metric_data:
            if values := member.get("Values"):
                datum = Samples(
                    namespace,
                    member["MetricName"],
                    member.get("Dimensions") or [],
                    member.get("Timestamp"),
                    member.get("Unit"),
                )
                for value, count in zip(values, member.get("Counts") or [1.0] * len(values), strict=True):
                    datum.add(float(value), float(count))
                self.metric_data.append(datum)
        self.forget_old()

    def forget_old(self) -> None:
        """Drop the data that is older than RETENTION."""
        oldest = unix(utcnow() - RETENTION)
        if self.metric_data and unix(self.metric_data[0].timestamp) < oldest:
            self.metric_data = [d for d in self.metric_data if unix(d.timestamp) >= oldest]

    def get_metric_data(
        self,
        queries: list[dict[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampDescending",
    ) -> list[dict[str, Any]]:
        """Return the results of GetMetricData, with percentiles and expressions."""
        if start_time >= end_time:
            raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
        if any(query.get("Expression", "").lstrip().upper().startswith("SELECT") for query in queries):
            raise ValidationError("The embedded AWS does not support Metrics Insights queries.")
        check(queries)
        step = min(period_of(queries), 60)
        start = unix(start_time) // step * step
        results = evaluate(self.get_all_metrics(), queries, start, unix(end_time))
        response = []
        for query in queries:
            if not query.get("ReturnData", True):
                continue
            points = sorted(results[query["Id"]].items(), reverse=scan_by == "TimestampDescending")
            response.append(
                {
                    "id": query["Id"],
                    "label": query.get("Label") or _label(query),
                    "timestamps": [_moment(time) for time, _ in points],
                    "values": [value for _, value in points],
                    "status_code": "Complete",
                }
            )
        return response

    def statistics(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the datapoints of GetMetricStatistics."""
        if request["StartTime"] >= request["EndTime"]:
            raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
        basic, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
        for stat in (*basic, *extended):
            check_statistic(stat)
        step = int(request["Period"])
        start = unix(request["StartTime"]) // min(step, 60) * min(step, 60)
        grouped = periods(
            self.get_all_metrics(),
            request["Namespace"],
            request["MetricName"],
            request.get("Dimensions") or [],
            start,
            unix(request["EndTime"]),
            step,
            request.get("Unit"),
        )
        datapoints = []
        for moment, data in sorted(grouped.items()):
            point: dict[str, Any] = {"Timestamp": _moment(moment), "Unit": data[0].unit or "None"}
            point |= {stat: value for stat in basic if (value := statistic(data, stat)) is not None}
            percentiles = {stat: value for stat in extended if (value := statistic(data, stat)) is not None}
            datapoints.append(point | ({"ExtendedStatistics": percentiles} if percentiles else {}))
        return datapoints


def _check_metric_alarm(alarm: Alarm) -> None:
    """Raise ValidationError for an alarm that cannot be evaluated."""
    if alarm.comparison_operator not in evaluation.COMPARISONS:
        raise ValidationError(
            f"The embedded AWS does not support anomaly detection: ComparisonOperator {alarm.comparison_operator}."
        )
    if alarm.threshold is None:
        raise ValidationError("The parameter Threshold is required.")
    rule = evaluation.rule(alarm)
    if not 1 <= rule.needed <= rule.periods:
        raise ValidationError("DatapointsToAlarm must be between 1 and EvaluationPeriods.")
    watched = evaluation.metric_queries(alarm)
    if alarm.metric_data_queries:
        if sum(query["ReturnData"] for query in watched) != 1:
            raise ValidationError("Exactly one element of the metrics list should return data.")
    elif bool(alarm.statistic) == bool(alarm.extended_statistic):
        raise ValidationError("Exactly one of Statistic and ExtendedStatistic must be specified.")
    check(watched)
    seconds = evaluation.period(alarm)
    if seconds not in PERIODS and (seconds < 60 or seconds % 60):
        raise ValidationError(f"Period {seconds} is not valid: it must be 10, 20, 30 or a multiple of 60.")
    if seconds * rule.periods > (86_400 if seconds < 3600 else 604_800):
        raise ValidationError(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period)."
        )


def _label(query: dict[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])


def _moment(unix_time: float) -> datetime:
    return datetime.fromtimestamp(unix_time, timezone.utc).replace(tzinfo=None)
