"""What the tests of alarms share."""

from __future__ import annotations

from typing import Any

from events_kit import unique


def put_alarm(cloudwatch: Any, name: str, **settings: Any) -> None:
    """Put an alarm on the metric of the same name in the namespace `test`."""
    watched = {
        "Namespace": "test",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    if "Metrics" in settings:
        watched = {key: watched[key] for key in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
    if "ExtendedStatistic" in settings:
        del watched["Statistic"]
    cloudwatch.put_metric_alarm(AlarmName=name, **(watched | settings))


def described(cloudwatch: Any, name: str) -> dict[str, Any]:
    """Return the description of a metric alarm."""
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


class Alarms:
    """Creates alarms with unique names. Missing data does not change the state that `set` gives them."""

    def __init__(self, aws: Any) -> None:
        self.client = aws.client("cloudwatch")

    def metric(self, **settings) -> str:
        watched = {
            "Namespace": "test",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        }
        name = unique("alarm")
        self.client.put_metric_alarm(AlarmName=name, **(watched | settings))
        return name

    def composite(self, rule: str, name: str = "", **settings) -> str:
        name = name or unique("composite")
        self.client.put_composite_alarm(AlarmName=name, AlarmRule=rule, **settings)
        return name

    def set(self, name: str, state: str = "ALARM") -> None:
        self.client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="drill")

    def described(self, name: str) -> dict:
        types = ["CompositeAlarm", "MetricAlarm"]
        found = self.client.describe_alarms(AlarmNames=[name], AlarmTypes=types)
        return (found["CompositeAlarms"] + found["MetricAlarms"])[0]

    def state(self, name: str) -> str:
        return self.described(name)["StateValue"]

    def actions(self, name: str) -> list[str]:
        """Return the history entries of an alarm's actions, latest first."""
        items = self.client.describe_alarm_history(
            AlarmName=name, HistoryItemType="Action", AlarmTypes=["CompositeAlarm", "MetricAlarm"]
        )
        return [item["HistorySummary"] for item in items["AlarmHistoryItems"]]
