"""Following a job: every log line once, every status once, to the end."""

import itertools
import time

import pytest
from botocore.exceptions import ClientError

from ml.jobs import follow
from ops.aws import client


@pytest.fixture
def logs(moto_aws):
    """Writes lines of an instance of the job `job-1` to its log stream."""
    service = client("logs", "us-east-1")
    times = itertools.count(int(time.time() * 1000))  # CloudWatch takes no old events

    def write(stream: str, *lines: str) -> None:
        if not service.describe_log_groups(logGroupNamePrefix=follow.LOG_GROUP)["logGroups"]:
            service.create_log_group(logGroupName=follow.LOG_GROUP)
        named = {"logGroupName": follow.LOG_GROUP, "logStreamName": stream}
        if not service.describe_log_streams(logGroupName=follow.LOG_GROUP, logStreamNamePrefix=stream)[
            "logStreams"
        ]:
            service.create_log_stream(**named)
        service.put_log_events(
            **named, logEvents=[{"timestamp": next(times), "message": line} for line in lines]
        )

    return write


def test_before_the_first_line_there_is_nothing(moto_aws):
    assert list(follow.LogTail("job-1", "us-east-1").lines()) == []


def test_every_line_is_told_once_instance_by_instance(logs):
    tail = follow.LogTail("job-1", "us-east-1")
    logs("job-1/algo-1-1", "one\n", "two")
    logs("job-1/algo-2-1", "other")
    logs("job-10/algo-1-1", "of another job")
    assert list(tail.lines()) == ["one", "two", "other"]
    assert list(tail.lines()) == []
    logs("job-1/algo-1-1", "three")
    assert list(tail.lines()) == ["three"]


def test_other_errors_of_the_logs_are_not_swallowed(moto_aws, monkeypatch):
    tail = follow.LogTail("job-1", "us-east-1")

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeLogStreams")

    monkeypatch.setattr(client("logs", "us-east-1"), "describe_log_streams", refuse)
    with pytest.raises(ClientError):
        list(tail.lines())


def test_a_job_is_followed_to_its_end(logs, monkeypatch):
    looks = iter(
        [
            ("InProgress", "Starting", []),
            ("InProgress", "Training", ["epoch=1"]),
            ("InProgress", "Training", []),
            ("Completed", "Completed", ["epoch=2"]),
        ]
    )

    class Sagemaker:
        def describe_training_job(self, TrainingJobName):
            status, secondary, lines = next(looks)
            if lines:
                logs("job-1/algo-1-1", *lines)
            return {"TrainingJobStatus": status, "SecondaryStatus": secondary, "ModelArtifacts": {}}

    monkeypatch.setattr(
        follow,
        "client",
        lambda service, region: Sagemaker() if service == "sagemaker" else client(service, region),
    )
    monkeypatch.setattr(follow, "pauses", lambda: iter([None] * 10))
    statuses, lines = [], []
    job = follow.training_job("job-1", "us-east-1", statuses.append, lines.append)
    assert job["TrainingJobStatus"] == "Completed"
    assert statuses == ["Starting", "Training", "Completed"]
    assert lines == ["epoch=1", "epoch=2"]


def test_pauses_grow_with_the_wait(monkeypatch):
    clock, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(follow.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(follow.time, "sleep", sleep)
    pauses = follow.pauses()
    for _ in range(500):
        next(pauses)
    assert slept[0] == 0.5
    assert slept == sorted(slept)
    assert slept[-1] == 10.0
