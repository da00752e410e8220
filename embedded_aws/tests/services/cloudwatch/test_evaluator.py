"""Alarms of the running embedded AWS follow their metrics, on a fast clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from alarms_kit import described, put_alarm
from instances_kit import Instances


@pytest.fixture
def cloudwatch(fast_embedded_aws):
    return fast_embedded_aws.client("cloudwatch")


def test_alarm_follows_its_metric_and_publishes_to_a_topic(fast_embedded_aws, cloudwatch, until):
    sns, sqs = fast_embedded_aws.client("sns"), fast_embedded_aws.client("sqs")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    put_alarm(
        cloudwatch,
        "errors",
        AlarmActions=[topic],
        OKActions=[topic],
        TreatMissingData="notBreaching",
        AlarmDescription="too many",
    )
    assert described(cloudwatch, "errors")["StateValue"] == "INSUFFICIENT_DATA"
    until(lambda: described(cloudwatch, "errors")["StateValue"] == "OK")
    cloudwatch.put_metric_data(Namespace="test", MetricData=[{"MetricName": "errors", "Value": 6}])
    alarmed = until(lambda: (a := described(cloudwatch, "errors"))["StateValue"] == "ALARM" and a)
    assert "[6]" in alarmed["StateReason"] and "greater than the threshold (5)" in alarmed["StateReason"]
    until(lambda: described(cloudwatch, "errors")["StateValue"] == "OK")
    messages: list[dict] = []

    def three() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        messages.extend(json.loads(m["Body"]) for m in answer.get("Messages", []))
        return len(messages) >= 3

    until(three)
    bodies = [json.loads(message["Message"]) for message in messages]
    assert [(t["OldStateValue"], t["NewStateValue"]) for t in bodies] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]
    assert bodies[1]["AlarmDescription"] == "too many" and bodies[1]["Trigger"]["MetricName"] == "errors"
    assert messages[1]["Subject"] == 'ALARM: "errors" in US East (N. Virginia)'
    history = cloudwatch.describe_alarm_history(AlarmName="errors", ScanBy="TimestampAscending")
    summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
    assert summaries[0] == 'Alarm "errors" created'
    assert "Alarm updated from OK to ALARM" in summaries
    assert f"Successfully executed action {topic}" in summaries
    updates = cloudwatch.describe_alarm_history(
        AlarmName="errors", HistoryItemType="StateUpdate", MaxRecords=2
    )
    assert len(updates["AlarmHistoryItems"]) == 2 and updates["NextToken"]


def test_evaluation_replaces_a_state_that_was_set(cloudwatch, until):
    put_alarm(cloudwatch, "nothing")
    cloudwatch.set_alarm_state(AlarmName="nothing", StateValue="ALARM", StateReason="drill")
    until(lambda: described(cloudwatch, "nothing")["StateValue"] == "INSUFFICIENT_DATA")
    put_alarm(cloudwatch, "nothing", Threshold=7)
    assert described(cloudwatch, "nothing")["StateReason"].startswith("Insufficient Data")


def test_alarms_evaluate_percentiles_and_expressions(cloudwatch, until):
    def metric(identifier: str, name: str) -> dict:
        watched = {"Metric": {"Namespace": "test", "MetricName": name}, "Period": 60, "Stat": "Sum"}
        return {"Id": identifier, "MetricStat": watched, "ReturnData": False}

    rate = {"Id": "e1", "Expression": "100 * FILL(m1, 0) / m2", "Label": "rate", "ReturnData": True}
    keep = {"TreatMissingData": "ignore"}
    put_alarm(cloudwatch, "rate", Metrics=[rate, metric("m1", "failed"), metric("m2", "all")], **keep)
    put_alarm(cloudwatch, "tail", ExtendedStatistic="p90", **keep)
    put_alarm(cloudwatch, "middle", ExtendedStatistic="p50", **keep)
    latencies = [1.0] * 80 + [9.0] * 20
    cloudwatch.put_metric_data(
        Namespace="test",
        MetricData=[
            {"MetricName": "failed", "Value": 10},
            {"MetricName": "all", "Value": 100},
            {"MetricName": "tail", "Values": latencies},
            {"MetricName": "middle", "Values": latencies},
        ],
    )
    until(lambda: described(cloudwatch, "rate")["StateValue"] == "ALARM")
    until(lambda: described(cloudwatch, "tail")["StateValue"] == "ALARM")
    until(lambda: described(cloudwatch, "middle")["StateValue"] == "OK")


def test_alarm_stops_an_idle_instance(fast_embedded_aws, cloudwatch, until):
    instances = Instances(fast_embedded_aws, until)
    instance = instances.run("#!/bin/bash\ncd $TMPDIR; until [ -e idle ]; do :; done; sleep 600")
    instances.ec2.monitor_instances(InstanceIds=[instance])
    dimensions = [{"Name": "InstanceId", "Value": instance}]
    stop = "arn:aws:automate:us-east-1:ec2:stop"
    idle = {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": dimensions,
        "Statistic": "Average",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 0.5,
        "EvaluationPeriods": 2,
    }
    put_alarm(cloudwatch, "idle", AlarmActions=[stop], TreatMissingData="notBreaching", **idle)

    def points(metric: str) -> dict:
        now = datetime.now(timezone.utc)
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/EC2",
            MetricName=metric,
            Dimensions=dimensions,
            Period=7200,
            Statistics=["Minimum", "Maximum", "SampleCount"],
            StartTime=now - timedelta(hours=1),
            EndTime=now,
        )["Datapoints"]
        return found[0] if found else {"SampleCount": 0}

    until(lambda: points("CPUUtilization")["SampleCount"] >= 2)
    assert points("CPUUtilization")["Minimum"] > 0.5  # the alarm's threshold, exceeded even on a busy machine
    assert instances.state(instance) == "running" and described(cloudwatch, "idle")["StateValue"] == "OK"
    (fast_embedded_aws.home / "instances" / instance / "disk" / "tmp" / "idle").touch()
    instances.wait(instance, "stopped")
    items = cloudwatch.describe_alarm_history(AlarmName="idle", HistoryItemType="Action")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [f"Successfully executed action {stop}"]
    checks = points("StatusCheckFailed")
    assert checks["Maximum"] == 0 and checks["SampleCount"] >= 3
