"""Reports an attempt of a job: a log stream per instance, and the metrics found in a training job's logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from embedded_aws.services.sagemaker.training.logs import GROUP, LogStream, MetricSink
from embedded_aws.services.sagemaker.training.metrics import MetricReader, final_metric
from embedded_aws.services.sagemaker.training.records import TrainingJob, now

OnMetric = Callable[[str, float], None]


class Logged(Protocol):
    """The record of a job, which keeps the time in the names of its streams."""

    stream_stamp: int

    @property
    def name(self) -> str: ...


class Streams:
    """The log streams `<job>/algo-<n>-<time>` of one attempt, one for each instance."""

    def __init__(self, job: Logged, instances: int, logs: Any, group: str) -> None:
        """Open the streams.

        logs: a boto3 client.
        group: the log group.
        """
        job.stream_stamp = max(
            int(time.time()), job.stream_stamp + 1
        )  # two attempts may start within a second
        self._streams = [
            LogStream(logs, f"{job.name}/algo-{number}-{job.stream_stamp}", group)
            for number in range(1, instances + 1)
        ]
        for stream in self._streams:
            stream.open()

    def line(self, number: int, line: str) -> None:
        """Handle a line of an instance, numbered from 0. Blocks while its log is full."""
        self._streams[number].add(line)

    def note(self, text: str) -> None:
        """Write a line from the embedded AWS to every stream."""
        for stream in self._streams:
            stream.add(f"[embedded AWS] {text}")

    def flush(self) -> None:
        """Send what has arrived."""
        for stream in self._streams:
            stream.flush()

    def drop(self) -> None:
        """Discard further lines, and release blocked writers: requests are no longer answered."""
        for stream in self._streams:
            stream.drop()

    def close(self) -> None:
        """Send the rest."""
        for stream in self._streams:
            stream.close()


class Reporting(Streams):
    """The log streams and the metrics of one attempt of a training job."""

    def __init__(
        self,
        job: TrainingJob,
        instances: int,
        logs: Any,
        cloudwatch: Any,
        on_metric: OnMetric | None,
    ) -> None:
        """Open the log streams.

        logs, cloudwatch: boto3 clients.
        on_metric: called with name and value of every metric in the log.
        """
        self._job, self._on_metric = job, on_metric
        self._sink = MetricSink(cloudwatch, job.name)
        self._metrics = MetricReader(job.request["AlgorithmSpecification"].get("MetricDefinitions", []))
        self._lock = threading.Lock()
        super().__init__(job, instances, logs, GROUP)

    def line(self, number: int, line: str) -> None:
        """Handle a line of an instance, numbered from 0. Blocks while its log is full."""
        super().line(number, line)
        for name, value in self._metrics.read(line):
            moment = now()
            self._sink.add(name, value, moment)
            with self._lock:
                self._job.metrics = {**self._job.metrics, name: final_metric(name, value, moment)}
            if self._on_metric:
                self._on_metric(name, value)

    def flush(self) -> None:
        """Send the lines and metrics that have arrived."""
        super().flush()
        self._sink.flush()

    def close(self) -> None:
        """Send the remaining lines and metrics."""
        self._sink.flush()
        super().close()
