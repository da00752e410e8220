"""A failure without a reason of AWS comes with the last lines of its log."""

import itertools
import time

import pytest
from botocore.exceptions import ClientError

from ops import logs

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def write(moto_aws, dev):
    """Return a function that writes lines to a log stream."""
    service, times = dev.client("logs"), itertools.count(int(time.time() * 1000))
    service.create_log_group(logGroupName=GROUP)

    def write(stream: str, *lines: str) -> None:
        service.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        events = [{"timestamp": next(times), "message": line} for line in lines]
        service.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

    return write


def test_the_last_lines_are_those_of_the_stream_that_was_written_last(write, dev):
    write("job/algo-1", *(f"line {number}" for number in range(9)))
    write("job/algo-2", "Traceback:", "  out of\tmemory\n")
    write("other/algo-1", "something else")
    assert logs.last_lines(dev, GROUP, "job/") == ["Traceback:", "out of memory"]
    assert logs.last_lines(dev, GROUP, "job/algo-1", 2) == ["line 7", "line 8"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_without_a_log_or_a_permission_there_are_no_lines(dev, moto_aws, monkeypatch, code):
    def refuse(operation):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeLogStreams")

    monkeypatch.setattr(dev.client("logs"), "get_paginator", refuse)
    assert logs.last_lines(dev, GROUP, "job/") == []
    assert logs.quoted([]) == "its log has no lines that you may read"


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "AlgorithmError: exit code: 1",
        "AlgorithmError: ExecuteUserScriptError, exit code: 137",
        "exit code 1.",
    ],
)
def test_a_reason_that_says_nothing_is_completed(write, dev, reason):
    write("job/algo-1", "ValueError: no images")
    found = logs.with_last_lines(dev, reason, GROUP, "job/")
    assert found.endswith("; the last lines of its log: ValueError: no images")
    assert found.startswith(reason.rstrip(".") or "AWS gives no reason")


def test_a_reason_that_says_what_happened_is_enough(write, dev):
    write("job/algo-1", "ValueError: no images")
    reason = 'AlgorithmError: ExecuteUserScriptError: ErrorMessage "ValueError: no images", exit code: 1.'
    assert logs.with_last_lines(dev, reason, GROUP, "job/") == reason.rstrip(".")
