"""A job's log and metrics on their way to CloudWatch."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws.services.sagemaker.training import logs


class SimulatedLogs:
    """A simulated CloudWatch Logs client."""

    class exceptions:  # as a boto3 client names them
        class ResourceNotFoundException(ClientError):
            pass

    def __init__(self, denied: bool = False):
        self.batches: list[list[dict[str, Any]]] = []
        self.denied = denied

    def create_log_stream(self, **_: str) -> None:
        if self.denied:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "CreateLogStream"
            )

    def put_log_events(self, logEvents: list[dict[str, Any]], **_: str) -> None:
        self.batches.append(logEvents)


def test_batches_stay_within_the_limits_of_cloudwatch_logs() -> None:
    client = SimulatedLogs()
    stream = logs.LogStream(client, "job/algo-1")
    stream.open()
    for _ in range(25):
        stream.add("x" * 100_000)
    stream.add("")
    stream.flush()
    assert [len(batch) for batch in client.batches] == [9, 9, 7]


def test_log_beyond_its_limit_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "STREAM_EVENTS", 10)
    client = SimulatedLogs()
    stream = logs.LogStream(client, "job/algo-1")
    for number in range(30):
        stream.add(str(number))
    stream.close()
    messages = [event["message"] for batch in client.batches for event in batch]
    assert messages[:10] == [str(number) for number in range(10)]
    assert len(messages) == 11 and "20 further lines were dropped" in messages[10]


def test_fast_writer_blocks_until_a_batch_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BATCH_EVENTS", 3)
    stream = logs.LogStream(SimulatedLogs(), "job/algo-1")
    writer = threading.Thread(target=lambda: [stream.add(str(n)) for n in range(5)])
    writer.start()
    writer.join(0.1)
    assert writer.is_alive()
    stream.flush()
    writer.join(5)
    assert not writer.is_alive()


def test_lines_are_dropped_without_permission() -> None:
    client = SimulatedLogs(denied=True)
    stream = logs.LogStream(client, "job/algo-1")
    stream.open()
    for number in range(3 * logs.BATCH_EVENTS):
        stream.add(str(number))
    stream.close()
    assert client.batches == [] and stream._events == []


def test_metrics_are_limited_per_second() -> None:
    sent: list[dict[str, Any]] = []

    class Metrics:
        def put_metric_data(self, MetricData: list[dict[str, Any]], **_: str) -> None:
            assert len(MetricData) <= 1000
            sent.extend(MetricData)

    sink = logs.MetricSink(Metrics(), "job")
    for number in range(5000):
        sink.add("loss", number, datetime.fromtimestamp(number // 1000, timezone.utc))
    sink.flush()
    assert len(sent) == 5 * logs.POINTS_PER_SECOND
    assert sent[0]["Dimensions"] == [{"Name": "TrainingJobName", "Value": "job"}]
