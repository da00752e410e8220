"""Sends a job's log and metrics to CloudWatch as the job's role, in batches and with limits."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

log = logging.getLogger(__name__)

GROUP = NAMESPACE = "/aws/sagemaker/TrainingJobs"
LINE_BYTES = 256 * 1024  # CloudWatch's limit per event
BATCH_EVENTS, BATCH_BYTES = 10_000, 1_000_000  # of PutLogEvents
BATCH_METRICS = 1000  # of PutMetricData
# The embedded AWS keeps logs in memory. Lines of a runaway program beyond these limits are dropped and counted.
STREAM_EVENTS, STREAM_BYTES = 100_000, 16 * 1024 * 1024
POINTS_PER_SECOND = 100  # of one job's metrics; CloudWatch's finest period is a second


class LogStream:
    """The log stream of one instance. `add` blocks while a full batch waits to be sent."""

    def __init__(self, client: Any, name: str, group: str = GROUP) -> None:
        self._client, self._name, self._group = client, name, group
        self._events: list[dict[str, Any]] = []
        self._bytes = self._total_events = self._total_bytes = self._dropped = 0
        self._space = threading.Condition()
        self._denied = False

    def open(self) -> None:
        """Create the stream. Without permission the job runs without a log, as on AWS."""
        stream = {"logGroupName": self._group, "logStreamName": self._name}
        try:
            try:
                self._client.create_log_stream(**stream)
            except self._client.exceptions.ResourceNotFoundException:
                self._create_group()
                self._client.create_log_stream(**stream)
        except ClientError as error:
            self._deny(error)

    def add(self, line: str) -> None:
        with self._space:
            self._space.wait_for(lambda: self._denied or len(self._events) < BATCH_EVENTS)
            self._total_events += 1
            self._total_bytes += len(line)
            if self._total_events > STREAM_EVENTS or self._total_bytes > STREAM_BYTES:
                self._dropped += 1
            elif line and not self._denied:
                self._events.append({"timestamp": int(time.time() * 1000), "message": line})

    def flush(self) -> None:
        """Send the lines added so far."""
        with self._space:
            events, self._events = self._events, []
            self._space.notify_all()
        while events and not self._denied:
            size = count = 0
            while count < len(events) and size + len(events[count]["message"]) <= BATCH_BYTES:
                size += len(events[count]["message"]) + 26
                count += 1
            self._send(events[: max(count, 1)])
            events = events[max(count, 1) :]

    def close(self) -> None:
        """Send the remaining lines and the number of dropped ones."""
        self.flush()
        if self._dropped and not self._denied:
            text = f"[embedded AWS] {self._dropped} further lines were dropped: it keeps at most {STREAM_EVENTS} "
            text += f"lines or {STREAM_BYTES // 1024**2} MiB of an instance's log."
            self._send([{"timestamp": int(time.time() * 1000), "message": text}])

    def drop(self) -> None:
        """Discard further lines, and release a blocked writer."""
        with self._space:
            self._denied = True
            self._space.notify_all()

    def _create_group(self) -> None:
        try:
            self._client.create_log_group(logGroupName=self._group)
        except self._client.exceptions.ResourceAlreadyExistsException:
            return  # another job has just created it

    def _send(self, events: list[dict[str, Any]]) -> None:
        try:
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._name, logEvents=events)
        except ClientError as error:
            self._deny(error)

    def _deny(self, error: ClientError) -> None:
        log.warning("log stream %s is not written: %s", self._name, error)
        self.drop()


class MetricSink:
    """Sends a job's metrics to CloudWatch, with dimension TrainingJobName."""

    def __init__(self, client: Any, job_name: str) -> None:
        self._client, self._job_name = client, job_name
        self._waiting: deque[dict[str, Any]] = deque(maxlen=10 * BATCH_METRICS)
        self._second, self._points = 0, 0
        self._denied = False

    def add(self, name: str, value: float, moment: datetime) -> None:
        if int(moment.timestamp()) != self._second:
            self._second, self._points = int(moment.timestamp()), 0
        self._points += 1
        if not self._denied and self._points <= POINTS_PER_SECOND:
            dimensions = [{"Name": "TrainingJobName", "Value": self._job_name}]
            self._waiting.append(
                {"MetricName": name, "Value": value, "Timestamp": moment, "Dimensions": dimensions}
            )

    def flush(self) -> None:
        while self._waiting and not self._denied:
            count = min(len(self._waiting), BATCH_METRICS)
            batch = [self._waiting.popleft() for _ in range(count)]
            try:
                self._client.put_metric_data(Namespace=NAMESPACE, MetricData=batch)
            except ClientError as error:
                log.warning("metrics of %s are not written: %s", self._job_name, error)
                self._denied = True
