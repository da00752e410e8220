"""CloudWatch's operations: moto's responses, completed and corrected."""

from __future__ import annotations

import base64
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.cloudwatch.models import Alarm
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from embedded_aws.services.cloudwatch import composite
from embedded_aws.services.cloudwatch.data import unix


class EmbeddedCloudWatchResponse(CloudWatchResponse):
    """moto's responses, with ours in front."""

    def put_composite_alarm(self) -> ActionResult:
        request = self._get_params()
        if request.get("ActionsSuppressor"):
            raise NotImplementedError("PutCompositeAlarm with an ActionsSuppressor")
        metric = (
            "namespace",
            "metric_name",
            "comparison_operator",
            "evaluation_periods",
            "period",
            "threshold",
        )
        settings: Any = {
            **dict.fromkeys((*metric, "statistic")),
            "dimensions": [],
            "rule": request["AlarmRule"],
            "description": request.get("AlarmDescription"),
            "actions_enabled": request.get("ActionsEnabled"),
            "alarm_actions": request.get("AlarmActions", []),
            "ok_actions": request.get("OKActions"),
            "insufficient_data_actions": request.get("InsufficientDataActions"),
            "tags": request.get("Tags"),
        }
        self.cloudwatch_backend.put_metric_alarm(request["AlarmName"], **settings)
        return EmptyResult()

    def describe_alarms(self) -> ActionResult:
        """Describe alarms by all filters of the request. moto applies one of them, and ignores AlarmTypes."""
        request = self._get_params()
        backend: Any = self.cloudwatch_backend
        alarms = [alarm for alarm in list(backend.alarms.values()) if _matches(backend, alarm, request)]
        first = _offset(request.get("NextToken"))
        last = first + int(request.get("MaxRecords") or 100)
        shown = alarms[first:last]
        response: dict[str, Any] = {
            "MetricAlarms": [alarm for alarm in shown if alarm.rule is None],
            "CompositeAlarms": [_described(alarm) for alarm in shown if alarm.rule is not None],
        }
        if last < len(alarms):
            response["NextToken"] = _token(last)
        return ActionResult(response)

    def describe_alarm_history(self) -> ActionResult:
        request = self._get_params()
        backend: Any = self.cloudwatch_backend
        types = request.get("AlarmTypes") or ["MetricAlarm"]
        wanted = {"AlarmName": request.get("AlarmName"), "HistoryItemType": request.get("HistoryItemType")}
        start, end = request.get("StartDate"), request.get("EndDate")
        items = [
            item
            for item in list(backend.alarm_history)
            if item["AlarmType"] in types
            and all(value in (None, item[key]) for key, value in wanted.items())
            and (start is None or unix(item["Timestamp"]) >= unix(start))
            and (end is None or unix(item["Timestamp"]) <= unix(end))
        ]
        if request.get("ScanBy") == "TimestampAscending":
            items.reverse()
        first = _offset(request.get("NextToken"))
        last = first + int(request.get("MaxRecords") or 100)
        response: dict[str, Any] = {"AlarmHistoryItems": items[first:last]}
        if last < len(items):
            response["NextToken"] = _token(last)
        return ActionResult(response)

    def get_metric_statistics(self) -> ActionResult:
        request = self._get_params()
        if not request.get("Statistics") and not request.get("ExtendedStatistics"):
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        backend: Any = self.cloudwatch_backend
        return ActionResult({"Label": request["MetricName"], "Datapoints": backend.statistics(request)})


def _matches(backend: Any, alarm: Alarm, request: dict[str, Any]) -> bool:
    """Return whether an alarm matches all filters of a DescribeAlarms request."""
    kind = "MetricAlarm" if alarm.rule is None else "CompositeAlarm"
    if kind not in (request.get("AlarmTypes") or ["MetricAlarm"]):
        return False
    names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix")
    if (names and alarm.name not in names) or (prefix and not alarm.name.startswith(prefix)):
        return False
    if request.get("StateValue") not in (None, alarm.state_value):
        return False
    action = request.get("ActionPrefix")
    if action and not any(arn.startswith(action) for arn in alarm.alarm_actions):
        return False
    if parent := request.get("ChildrenOfAlarmName"):
        above = backend.alarms.get(parent)
        return bool(above and above.rule) and alarm.name in composite.children(composite.parse(above.rule))
    if child := request.get("ParentsOfAlarmName"):
        return alarm.rule is not None and child in composite.children(composite.parse(alarm.rule))
    return True


def _described(alarm: Alarm) -> dict[str, Any]:
    """Return a composite alarm as DescribeAlarms does."""
    described = {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.alarm_arn,
        "AlarmDescription": alarm.description,
        "AlarmConfigurationUpdatedTimestamp": alarm.configuration_updated_timestamp,
        "AlarmRule": alarm.rule,
        "ActionsEnabled": alarm.actions_enabled,
        "AlarmActions": alarm.alarm_actions,
        "OKActions": alarm.ok_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "StateValue": alarm.state_value,
        "StateReason": alarm.state_reason,
        "StateReasonData": alarm.state_reason_data,
        "StateUpdatedTimestamp": alarm.state_updated_timestamp,
        "StateTransitionedTimestamp": alarm.state_updated_timestamp,
    }
    return {name: value for name, value in described.items() if value is not None}


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except ValueError:
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None
