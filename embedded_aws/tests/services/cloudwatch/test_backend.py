"""Alarms and metrics of the running embedded AWS: requests that do not wait for an evaluation."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from alarms_kit import described, put_alarm


@pytest.fixture
def cloudwatch(embedded_aws):
    return embedded_aws.client("cloudwatch")


def test_set_alarm_state_runs_the_actions(embedded_aws, cloudwatch, until):
    topic = embedded_aws.client("sns").create_topic(Name="set-state")["TopicArn"]
    put_alarm(cloudwatch, "set-state", AlarmActions=[topic], TreatMissingData="ignore")
    cloudwatch.set_alarm_state(AlarmName="set-state", StateValue="ALARM", StateReason="drill")

    def actions():
        items = cloudwatch.describe_alarm_history(AlarmName="set-state", HistoryItemType="Action")
        return items["AlarmHistoryItems"]

    assert topic in until(actions)[0]["HistorySummary"]
    assert described(cloudwatch, "set-state")["StateReason"] == "drill"


def test_metrics_are_returned_with_percentiles_and_expressions(cloudwatch):
    now = datetime.now(timezone.utc)
    cloudwatch.put_metric_data(
        Namespace="returned", MetricData=[{"MetricName": "time", "Values": [1.0, 9.0], "Counts": [90, 10]}]
    )
    span = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}
    [point] = cloudwatch.get_metric_statistics(
        Namespace="returned",
        MetricName="time",
        Period=3600,
        ExtendedStatistics=["p50", "p99"],
        Statistics=["Average"],
        **span,
    )["Datapoints"]
    assert point["Average"] == pytest.approx(1.8)
    assert point["ExtendedStatistics"]["p50"] == pytest.approx(1, rel=0.02)
    assert point["ExtendedStatistics"]["p99"] == pytest.approx(9, rel=0.02)
    watched = {"Metric": {"Namespace": "returned", "MetricName": "time"}, "Period": 3600, "Stat": "p99"}
    queries = [
        {"Id": "m1", "MetricStat": watched, "ReturnData": False},
        {"Id": "e1", "Expression": "m1 * 2"},
    ]
    [answer] = cloudwatch.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    assert answer["Id"] == "e1" and answer["Values"] == [pytest.approx(18, rel=0.02)]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"Period": 45}, "Period 45"),
        ({"ExtendedStatistic": "tm90"}, "tm90|not supported"),
    ],
)
def test_put_metric_alarm_refuses_invalid_settings(cloudwatch, settings, message):
    with pytest.raises(ClientError, match=message):
        put_alarm(cloudwatch, "refused", **settings)
    assert cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"] == []
