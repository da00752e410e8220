"""CloudWatch's operations that moto lacks or answers wrongly."""

from __future__ import annotations

import base64
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_aws.alarms.data import unix


class AlarmsResponse(CloudWatchResponse):
    """moto's responses, with ours in front."""

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
        answer: dict[str, Any] = {"AlarmHistoryItems": items[first:last]}
        if last < len(items):
            answer["NextToken"] = base64.urlsafe_b64encode(str(last).encode()).decode()
        return ActionResult(answer)

    def get_metric_statistics(self) -> ActionResult:
        request = self._get_params()
        if not request.get("Statistics") and not request.get("ExtendedStatistics"):
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        backend: Any = self.cloudwatch_backend
        return ActionResult({"Label": request["MetricName"], "Datapoints": backend.statistics(request)})


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except ValueError:
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None
