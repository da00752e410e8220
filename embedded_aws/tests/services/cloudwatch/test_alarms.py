"""Alarms, metrics and schedules of the running server, through boto3, on a clock sixty times as fast."""

import json
import threading
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from events_kit import Queue, Rule
from hosting_kit import Hosting, variant
from services.ec2.test_instances import Instances

pytestmark = pytest.mark.slow

SLOW_APP = """
import asyncio
from fastapi import FastAPI, Request
from ray import serve

asgi = FastAPI()

@asgi.post("/")
async def predict(request: Request):
    await asyncio.sleep(0.15)
    return {"version": "slow"}

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""


@pytest.fixture(scope="module")
def fast_aws(tmp_path_factory):
    """An embedded AWS whose minutes take a second."""
    from embedded_aws import client as daemon
    from embedded_aws.pytest_plugin import EmbeddedAws, free_port

    home = tmp_path_factory.mktemp("alarms-aws")
    try:
        yield EmbeddedAws(home, free_port(), 60)
    finally:
        daemon.destroy(home)


@pytest.fixture
def cloudwatch(fast_aws):
    return fast_aws.client("cloudwatch")


def put_alarm(cloudwatch, name: str, **settings) -> None:
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


def described(cloudwatch, name: str) -> dict:
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def refused(call, **request) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return str(error.value)


def test_an_alarm_follows_its_metric_and_tells_a_topic(fast_aws, cloudwatch, until):
    sns, sqs = fast_aws.client("sns"), fast_aws.client("sqs")
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
    told = [json.loads(message["Message"]) for message in messages]
    assert [(t["OldStateValue"], t["NewStateValue"]) for t in told] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]
    assert told[1]["AlarmDescription"] == "too many" and told[1]["Trigger"]["MetricName"] == "errors"
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


def test_an_alarm_without_data_goes_to_insufficient_data_and_back_by_hand(cloudwatch, until):
    put_alarm(cloudwatch, "nothing")
    cloudwatch.set_alarm_state(AlarmName="nothing", StateValue="ALARM", StateReason="by hand")
    until(lambda: described(cloudwatch, "nothing")["StateValue"] == "INSUFFICIENT_DATA")
    put_alarm(cloudwatch, "nothing", Threshold=7)
    assert described(cloudwatch, "nothing")["StateReason"].startswith("Insufficient Data")


def test_state_set_by_hand_is_told_too(fast_aws, cloudwatch, until):
    topic = fast_aws.client("sns").create_topic(Name="by-hand")["TopicArn"]
    put_alarm(cloudwatch, "by-hand", AlarmActions=[topic], TreatMissingData="ignore")
    cloudwatch.set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="drill")

    def told():
        items = cloudwatch.describe_alarm_history(AlarmName="by-hand", HistoryItemType="Action")
        return items["AlarmHistoryItems"]

    assert topic in until(told)[0]["HistorySummary"]
    assert described(cloudwatch, "by-hand")["StateReason"] == "drill"


def test_alarms_on_percentiles_and_expressions(cloudwatch, until):
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


def test_percentiles_and_expressions_are_answered(cloudwatch):
    now = datetime.now(timezone.utc)
    cloudwatch.put_metric_data(
        Namespace="asked", MetricData=[{"MetricName": "time", "Values": [1.0, 9.0], "Counts": [90, 10]}]
    )
    span = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}
    [point] = cloudwatch.get_metric_statistics(
        Namespace="asked",
        MetricName="time",
        Period=3600,
        ExtendedStatistics=["p50", "p99"],
        Statistics=["Average"],
        **span,
    )["Datapoints"]
    assert point["Average"] == pytest.approx(1.8)
    assert point["ExtendedStatistics"]["p50"] == pytest.approx(1, rel=0.02)
    assert point["ExtendedStatistics"]["p99"] == pytest.approx(9, rel=0.02)
    watched = {"Metric": {"Namespace": "asked", "MetricName": "time"}, "Period": 3600, "Stat": "p99"}
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
def test_alarms_that_cannot_be_evaluated_are_refused(cloudwatch, settings, message):
    with pytest.raises(ClientError, match=message):
        put_alarm(cloudwatch, "refused", **settings)
    assert cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"] == []


def test_an_instance_that_has_become_idle_is_stopped_by_its_alarm(fast_aws, cloudwatch, until):
    instances = Instances(fast_aws, until)
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
    assert points("CPUUtilization")["Minimum"] > 5  # the alarm's threshold
    assert instances.state(instance) == "running" and described(cloudwatch, "idle")["StateValue"] == "OK"
    (fast_aws.home / "instances" / instance / "disk" / "tmp" / "idle").touch()
    instances.wait(instance, "stopped")
    items = cloudwatch.describe_alarm_history(AlarmName="idle", HistoryItemType="Action")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [f"Successfully executed action {stop}"]
    checks = points("StatusCheckFailed")
    assert checks["Maximum"] == 0 and checks["SampleCount"] >= 3


def test_a_rule_fires_by_its_schedule(fast_aws, until):
    often, seldom = Queue(fast_aws), Queue(fast_aws)
    rules = [
        Rule(fast_aws, "rate(1 minute)", {"Arn": often.arn}),
        Rule(fast_aws, "rate(1 day)", {"Arn": seldom.arn}),
    ]
    until(lambda: len(often.messages) >= 2)
    for rule in rules:
        rule.delete()
    event = often.messages[0]
    assert (event["detail-type"], event["source"]) == ("Scheduled Event", "aws.events")
    assert event["resources"] == [rules[0].arn] and event["detail"] == {}
    assert often.messages[1]["id"] != event["id"] and seldom.messages == []


def test_a_slow_new_version_is_rolled_back_without_a_failed_request(fast_aws, cloudwatch, until):
    aws, queue = Hosting(fast_aws), Queue(fast_aws)
    rule = Rule(fast_aws, {"detail-type": ["SageMaker Endpoint State Change"]}, {"Arn": queue.arn})
    aws.model("quick")
    aws.model("slow", aws.put("slow.tar.gz", {"code/app.py": SLOW_APP}))
    aws.config("quick", variant("quick"))
    aws.config("slow", variant("slow"))
    aws.endpoint("guarded", "quick")
    dimensions = [
        {"Name": "EndpointName", "Value": "guarded"},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]
    put_alarm(
        cloudwatch,
        "latency",
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=dimensions,
        ExtendedStatistic="p90",
        Threshold=120_000,
        TreatMissingData="notBreaching",
    )
    versions, failures, over = set(), [], threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                versions.add(aws.ask("guarded")["version"])
            except ClientError as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: described(cloudwatch, "latency")["StateValue"] == "OK")
        aws.sagemaker.update_endpoint(
            EndpointName="guarded",
            EndpointConfigName="slow",
            DeploymentConfig={
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "CANARY",
                        "WaitIntervalInSeconds": 1800,
                        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                    }
                },
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "latency"}]},
            },
        )
        settled = aws.stable("guarded")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert settled["EndpointConfigName"] == "quick" and "latency" in settled["FailureReason"]
    assert versions == {"1", "slow"} and failures == []
    rule.delete()
    until(lambda: len(queue.messages) >= 5)
    details = [m["detail"] for m in queue.messages]
    assert {d["EndpointName"] for d in details} == {"guarded"}
    statuses = sorted(d["EndpointStatus"] for d in details)
    assert statuses == ["CREATING", "IN_SERVICE", "IN_SERVICE", "ROLLING_BACK", "UPDATING"]
    (failed,) = [d for d in details if "FailureReason" in d]
    assert failed["EndpointStatus"] == "IN_SERVICE" and "latency" in failed["FailureReason"]
