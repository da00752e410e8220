"""Following a training job: every log line and every status once, until it ends."""

import itertools
import time

import pytest
from botocore.exceptions import ClientError

from ml.jobs import follow
from ops.errors import OperatorError
from tests.environments import with_clients


@pytest.fixture
def logs(moto_aws, dev):
    """Return a function that writes lines to a log stream."""
    service = dev.client("logs")
    times = itertools.count(int(time.time() * 1000))  # CloudWatch refuses old events

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


def test_a_job_without_logs_has_no_lines(moto_aws, dev):
    assert list(follow.LogTail(dev, "job-1").lines()) == []


def test_every_line_is_returned_once_instance_by_instance(logs, dev):
    tail = follow.LogTail(dev, "job-1")
    logs("job-1/algo-1-1", "one\n", "two")
    logs("job-1/algo-2-1", "other")
    logs("job-10/algo-1-1", "another job")
    assert list(tail.lines()) == ["one", "two", "other"]
    assert list(tail.lines()) == []
    logs("job-1/algo-1-1", "three")
    assert list(tail.lines()) == ["three"]


def test_other_errors_of_cloudwatch_are_raised(moto_aws, dev, monkeypatch):
    tail = follow.LogTail(dev, "job-1")

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeLogStreams")

    monkeypatch.setattr(dev.client("logs"), "describe_log_streams", refuse)
    with pytest.raises(ClientError):
        list(tail.lines())


def test_a_job_is_followed_until_it_ends(logs, dev, fast_clock):
    descriptions = iter(
        [
            ("InProgress", "Starting", []),
            ("InProgress", "Training", ["epoch=1"]),
            ("InProgress", "Training", []),
            ("Completed", "Completed", ["epoch=2"]),
        ]
    )

    class Sagemaker:
        def describe_training_job(self, TrainingJobName):
            status, secondary, lines = next(descriptions)
            if lines:
                logs("job-1/algo-1-1", *lines)
            return {"TrainingJobStatus": status, "SecondaryStatus": secondary, "ModelArtifacts": {}}

    env = with_clients(dev, sagemaker=Sagemaker())
    statuses, lines = [], []
    job = follow.training_job(env, "job-1", statuses.append, lines.append)
    assert job["TrainingJobStatus"] == "Completed"
    assert statuses == ["Starting", "Training", "Completed"]
    assert lines == ["epoch=1", "epoch=2"]


def test_a_job_that_outlives_its_own_limit_is_an_error_with_the_command(logs, dev, fast_clock):
    class SageMaker:
        def describe_training_job(self, TrainingJobName):
            return {"TrainingJobStatus": "InProgress"}

    env, statuses = with_clients(dev, sagemaker=SageMaker()), []
    with pytest.raises(
        OperatorError, match=r"job-1 has not ended 3 hours after .*\./inv train --env dev --stop"
    ):
        follow.training_job(env, "job-1", statuses.append, print)
    assert sum(fast_clock) > dev.settings.training.max_runtime_seconds + follow.MARGIN_SECONDS
    assert statuses == ["InProgress"]
