"""Rules of the running embedded AWS: events of services and of PutEvents reach targets."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from events_kit import ACCOUNT, Queue, RecordingFunction, Rule, unique
from training_kit import IMAGE, Training

EVENTS = "events.amazonaws.com"


@pytest.fixture(scope="module")
def recorder(embedded_aws):
    return RecordingFunction(embedded_aws)


@pytest.fixture
def rule(embedded_aws):
    created: list[Rule] = []

    def make(pattern: dict, *targets: dict) -> Rule:
        created.append(Rule(embedded_aws, pattern, *targets))
        return created[-1]

    yield make
    for one in created:
        one.delete()


def put(aws, source: str, **detail) -> str:
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail), "Resources": ["arn:r"]}
    (answer,) = aws.client("events").put_events(Entries=[entry])["Entries"]
    return answer["EventId"]


def test_training_jobs_and_model_packages_emit_their_states(embedded_aws, rule, until):
    queue = Queue(embedded_aws)
    rule({"source": ["aws.sagemaker"]}, {"Arn": queue.arn})
    workplace = Training(embedded_aws)
    algorithm = {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c", "exit 3"],
    }
    job = workplace.run(AlgorithmSpecification=algorithm, Tags=[{"Key": "team", "Value": "a"}])

    def details(kind: str) -> list[dict]:
        found = [m for m in queue.messages if m["detail-type"] == f"SageMaker {kind} State Change"]
        return [
            m["detail"]
            for m in found
            if job["TrainingJobName"] in m["resources"][0] or kind != "Training Job"
        ]

    until(lambda: "Failed" in {d["TrainingJobStatus"] for d in details("Training Job")})
    by_status = {d["SecondaryStatus"]: d for d in details("Training Job")}
    assert {"Starting", "Training", "Failed"} <= by_status.keys()
    assert by_status["Training"]["TrainingJobStatus"] == "InProgress"
    failed = by_status["Failed"]
    assert failed["FailureReason"] == job["FailureReason"] and failed["Tags"] == {"team": "a"}
    assert failed["CreationTime"] == int(job["CreationTime"].timestamp() * 1000)
    sagemaker, group = workplace.sagemaker, unique("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    package = sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")

    def approvals() -> dict[str, dict]:
        ours = [d for d in details("Model Package") if d["ModelPackageGroupName"] == group]
        return {d["ModelApprovalStatus"]: d for d in ours}

    until(lambda: approvals().keys() == {"PendingManualApproval", "Approved"})
    assert approvals()["Approved"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    assert approvals()["Approved"]["ModelPackageVersion"] == 1


def test_put_events_reaches_topics_functions_and_log_groups(embedded_aws, rule, recorder, until):
    sns, logs, queue = embedded_aws.client("sns"), embedded_aws.client("logs"), Queue(embedded_aws)
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    group, source = f"/aws/events/{unique('group')}", unique("app")
    logs.create_log_group(logGroupName=group)
    transformer = {
        "InputPathsMap": {"n": "$.detail.n"},
        "InputTemplate": '{"text": "<n> of <aws.events.rule-name>", "event": <aws.events.event.json>}',
    }
    matching = rule(
        {"source": [source], "detail": {"n": [{"numeric": [">", 1]}]}},
        {"Arn": topic, "InputPath": "$.detail"},
        {"Arn": recorder.arn},
        {"Arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}", "InputTransformer": transformer},
    )
    recorder.allow(EVENTS, matching.arn)
    put(embedded_aws, source, n=1)
    wanted = put(embedded_aws, source, n=2)
    (message,) = until(lambda: queue.messages)
    assert json.loads(message["Message"]) == {"n": 2} and message["TopicArn"] == topic
    events = until(lambda: [e for e in recorder.events if e.get("source") == source])
    assert [e["id"] for e in events] == [wanted] and events[0]["resources"] == ["arn:r"]
    (logged,) = until(lambda: logs.filter_log_events(logGroupName=group)["events"])
    written = json.loads(logged["message"])
    assert written["text"] == f"2 of {matching.name}" and written["event"]["id"] == wanted
    assert written["event"].keys() == {
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    }


def test_function_that_does_not_allow_the_rule_is_not_invoked(embedded_aws, rule, recorder, until):
    dead, source = Queue(embedded_aws), unique("app")
    matching = rule({"source": [source]}, {"Arn": recorder.arn, "DeadLetterConfig": {"Arn": dead.arn}})
    put(embedded_aws, source, n=1)
    (message,) = until(dead.received)
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["RULE_ARN"] == matching.arn and attributes["TARGET_ARN"] == recorder.arn
    assert (
        "events.amazonaws.com is not authorized to perform: lambda:InvokeFunction"
        in attributes["ERROR_MESSAGE"]
    )
    assert json.loads(message["Body"])["source"] == source
    now = datetime.now(timezone.utc)
    for metric in ("Invocations", "FailedInvocations"):
        (point,) = embedded_aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events",
            MetricName=metric,
            Dimensions=[{"Name": "RuleName", "Value": matching.name}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        assert point["Sum"] == 1
    assert source not in {e.get("source") for e in recorder.events}


def test_disabled_rule_delivers_nothing(embedded_aws, rule, until):
    off, on, source = Queue(embedded_aws), Queue(embedded_aws), unique("app")
    matching = rule({"source": [source]}, {"Arn": off.arn})
    rule({"source": [source]}, {"Arn": on.arn})
    matching.client.disable_rule(Name=matching.name)
    put(embedded_aws, source, n=1)
    until(lambda: on.messages)
    matching.client.enable_rule(Name=matching.name)
    put(embedded_aws, source, n=2)
    assert [m["detail"]["n"] for m in until(lambda: off.messages)] == [2]


def test_unsupported_schedules_and_targets_are_refused(embedded_aws, rule):
    events = embedded_aws.client("events")
    for expression in ("rate(soon)", "cron(0 25 * * ? *)", "at(2026-01-01T00:00:00)"):
        with pytest.raises(ClientError, match=r"ValidationException.*ScheduleExpression is not valid"):
            events.put_rule(Name=unique("rule"), ScheduleExpression=expression)
    matching = rule({"source": ["x"]})
    for target, message in (
        ({"Arn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m"}, "NotImplementedException"),
        (
            {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "InputPath": "$..x"},
            "ValidationException.*Invalid JSON",
        ),
    ):
        with pytest.raises(ClientError, match=message):
            events.put_targets(Rule=matching.name, Targets=[{"Id": "t", **target}])
    assert events.list_targets_by_rule(Rule=matching.name)["Targets"] == []


def test_put_events_refuses_sources_of_aws(embedded_aws, rule, until):
    queue, source = Queue(embedded_aws), unique("app")
    rule({"source": ["aws.ec2", source], "detail-type": ["forged"]}, {"Arn": queue.arn})
    entries = [{"Source": name, "DetailType": "forged", "Detail": "{}"} for name in ("aws.ec2", source)]
    answer = embedded_aws.client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    (event,) = until(lambda: queue.messages)
    assert (event["source"], event["id"]) == (source, answer["Entries"][1]["EventId"])


def test_event_pattern_is_tested(embedded_aws):
    event = {
        "id": "1",
        "account": ACCOUNT,
        "source": "aws.s3",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}},
    }
    events = embedded_aws.client("events")
    for name, expected in (("b", True), ("c", False)):
        pattern = json.dumps({"detail": {"bucket": {"name": [name]}}})
        answer = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
        assert answer["Result"] is expected
    with pytest.raises(ClientError, match="Missing: account"):
        del event["account"]
        events.test_event_pattern(EventPattern="{}", Event=json.dumps(event))
