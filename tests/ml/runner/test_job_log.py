"""The job's log: standard output and CloudWatch Logs."""

from __future__ import annotations

import signal
import time

import boto3

from ml.runner import job_log
from ml.runner.job_log import JobLog


def test_lines_are_printed_and_sent_in_the_order_of_their_timestamps(account, capsys, monkeypatch):
    monkeypatch.setattr(job_log, "BATCH_EVENTS", 3)
    now = time.time()
    service = boto3.client("logs", region_name="us-east-1")
    service.create_log_group(logGroupName="/p/dev/ec2")
    lines = ["one", "", "x" * 2000, "four", "five"]
    clock = iter([1.0, 3.0, 2.0, 4.0, 5.0])  # two threads can queue in another order than they read the clock
    monkeypatch.setattr(job_log.time, "time", lambda: now + next(clock))
    with JobLog("/p/dev/ec2", "job-1/i-1", "us-east-1") as log:
        for line in lines:
            log.write(line)
    response = service.get_log_events(
        logGroupName="/p/dev/ec2", logStreamName="job-1/i-1", startFromHead=True
    )
    assert [event["message"] for event in response["events"]] == ["one", "x" * 1000, " ", "four", "five"]
    assert capsys.readouterr().out.splitlines() == lines


def test_a_closed_standard_output_stops_the_job(monkeypatch):
    class ClosedPipe:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    raised: list[int] = []
    monkeypatch.setattr(job_log.signal, "raise_signal", raised.append)
    monkeypatch.setattr(job_log.sys, "stdout", ClosedPipe())
    with JobLog(None, None, "us-east-1") as log:
        log.write("one")
        log.write("two")
    assert raised == [signal.SIGTERM]


def test_an_error_of_cloudwatch_logs_does_not_stop_the_job(account, capsys):
    with JobLog("/no/such/group", "job-1/i-1", "us-east-1") as log:
        log.write("still running")
    out, error = capsys.readouterr()
    assert out == "still running\n"
    assert "cannot write to CloudWatch Logs" in error and "ResourceNotFoundException" in error


def test_without_a_group_the_log_only_prints(capsys, monkeypatch):
    monkeypatch.setattr(job_log.boto3, "client", lambda *_, **__: 1 / 0)
    with JobLog(None, None, "us-east-1") as log:
        log.write("printed")
    assert capsys.readouterr().out == "printed\n"
