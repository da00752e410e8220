"""The parts of EventBridge's targets that need no server: what a target is given, how statuses are written."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from embedded_aws.services.events import bus, sagemaker, transform
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.tuning.records import TuningJob

EVENT = {
    "id": "1",
    "detail-type": "EC2 Instance State-change Notification",
    "time": "2026-01-02T03:04:05Z",
    "resources": ["arn:a", "arn:b"],
    "detail": {"instance-id": "i-0", "state": "running", "list": [{"n": 1}, {"n": 2}], "quote": 'say "no"'},
}


@pytest.mark.parametrize(
    "path, value",
    [
        ("$", EVENT),
        ("$.detail-type", EVENT["detail-type"]),
        ("$.detail.state", "running"),
        ("$.resources[1]", "arn:b"),
        ("$.resources[2]", None),
        ("$.detail.list[*].n", [1, 2]),
        ("$.nothing.at.all", None),
    ],
)
def test_paths_are_found_in_events(path, value):
    assert transform.find(EVENT, path) == value


@pytest.mark.parametrize(
    "template, expected",
    [
        ('"<instance> is <state>"', '"i-0 is running"'),
        ('{"state": <state>, "all": <detail>}', {"state": "running", "all": EVENT["detail"]}),
        ('{"text": "<quote>, \\"<state>\\""}', {"text": 'say "no", "running"'}),
        ('{"none": <missing>, "text": "<missing>"}', {"none": None, "text": ""}),
        (
            '{"rule": "<aws.events.rule-name>", "event": <aws.events.event>}',
            {"rule": "r", "event": {key: value for key, value in EVENT.items() if key != "detail"}},
        ),
        ('"first"\n"<state>"', '"first"\n"running"'),
    ],
)
def test_templates_are_filled_in(template, expected):
    paths = {name: f"$.detail.{name}" for name in ("state", "quote", "missing")}
    paths |= {"instance": "$.detail.instance-id", "detail": "$.detail"}
    target = {"Id": "t", "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    assert transform.check(target) == ""
    text = transform.payload(target, EVENT, "r", "arn:r")
    assert (text if isinstance(expected, str) else json.loads(text)) == expected


def test_a_part_or_a_constant_stands_for_the_event():
    assert json.loads(transform.payload({"Id": "t", "InputPath": "$.detail.list"}, EVENT, "r", "a")) == [
        {"n": 1},
        {"n": 2},
    ]
    assert transform.payload({"Id": "t", "Input": '{"a": 1}'}, EVENT, "r", "a") == '{"a": 1}'
    assert json.loads(transform.payload({"Id": "t"}, EVENT, "r", "a")) == EVENT


@pytest.mark.parametrize(
    "target, mistake",
    [
        ({"Input": "{"}, "JSON syntax error"),
        ({"Input": "{}", "InputPath": "$.detail"}, "Only one of"),
        ({"InputPath": "detail"}, "Invalid JSON path detail"),
        ({"InputTransformer": {"InputPathsMap": {"a": "$..b"}, "InputTemplate": "<a>"}}, "Invalid JSON path"),
        ({"InputTransformer": {"InputTemplate": '"<state>"'}}, "invalid placeholder state"),
    ],
)
def test_inputs_that_cannot_be_given_are_told(target, mistake):
    assert mistake in transform.check({"Id": "t", **target})


def test_a_template_that_becomes_no_json_is_told():
    transformer = {"InputPathsMap": {"list": "$.detail.list"}, "InputTemplate": '{"a": <list>, }'}
    with pytest.raises(ValueError, match="is not valid JSON"):
        transform.payload({"Id": "t", "InputTransformer": transformer}, EVENT, "r", "a")


@pytest.fixture
def told(monkeypatch):
    """Events that are emitted, each with what it is of: its detail type, resources and detail."""
    found: list[tuple] = []
    monkeypatch.setattr(bus, "rules", lambda region: ["one"])
    monkeypatch.setattr(bus, "emit", lambda region, source, *event: found.append(event))
    backend = SimpleNamespace(resource_tags={}, describe_tuning=lambda job: job.describe([], None))
    monkeypatch.setattr(sagemaker, "_backend", lambda region: backend)
    return found


def test_a_training_job_tells_of_its_end_once_it_has_ended(told):
    job = TrainingJob({"TrainingJobName": "j"}, "1", "us-east-1", "arn:j")
    job.enter("Starting")
    job.end("Failed", "MaxRuntimeExceeded", "too long")
    statuses = [(d["TrainingJobStatus"], d["SecondaryStatus"], d.get("FailureReason")) for _, _, d in told]
    assert statuses == [("InProgress", "Starting", None), ("Failed", "MaxRuntimeExceeded", "too long")]
    assert {(kind, *arns) for kind, arns, _ in told} == {("SageMaker Training Job State Change", "arn:j")}
    assert told[1][2]["TrainingEndTime"] == int(job.end_time.timestamp() * 1000)


def test_a_tuning_job_tells_what_describing_it_answers(told):
    config = {"Strategy": "Random", "ResourceLimits": {"MaxParallelTrainingJobs": 1}}
    request = {"HyperParameterTuningJobName": "t", "HyperParameterTuningJobConfig": config}
    job = TuningJob(request, "1", "us-east-1", "arn:t")
    job.end("Failed", "no trial has succeeded")
    sagemaker.tuning_job(job)
    ((kind, arns, detail),) = told
    assert (kind, arns) == ("SageMaker HyperParameter Tuning Job State Change", ["arn:t"])
    assert detail["HyperParameterTuningJobStatus"] == "Failed"
    assert detail["FailureReason"] == "no trial has succeeded"
    assert detail["TrainingJobStatusCounters"]["NonRetryableError"] == 0


def test_nobody_listens_nothing_is_made(told, monkeypatch):
    monkeypatch.setattr(bus, "rules", lambda region: [])
    TrainingJob({"TrainingJobName": "j"}, "1", "us-east-1", "arn:j").enter("Starting")
    assert told == []
