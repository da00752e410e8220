"""Sends log lines to CloudWatch Logs in batches, in the background, with the credentials of a role."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.5
BATCH_EVENTS = 5000  # PutLogEvents takes at most 10,000, and 1 MB
BATCH_BYTES = 1_000_000
EVENT_OVERHEAD = 26
CLIENT_SECONDS = 7200.0  # well before the role's credentials expire


class Stream(NamedTuple):
    """A log stream, and the role that writes to it."""

    region: str
    role_arn: str
    group: str
    name: str
    service: str
    """Service that assumes the role, e.g. "lambda.amazonaws.com"."""

    session_name: str
    source_arn: str | None = None


class LogShipper:
    """Collects lines and sends them in batches. Without permission to log, lines are dropped, as on AWS."""

    def __init__(self, runtime: Runtime, thread_name: str) -> None:
        self._runtime = runtime
        self._lines: dict[Stream, list[dict[str, Any]]] = defaultdict(list)
        self._condition = threading.Condition()
        self._clients: dict[tuple[str | None, ...], tuple[float, Any]] = {}
        threading.Thread(target=self._run, name=thread_name, daemon=True).start()

    def add(self, stream: Stream, at: int, message: str) -> None:
        """Add a line. at: Unix milliseconds. Blank lines are dropped: CloudWatch Logs refuses empty events."""
        if not message.strip():
            return
        with self._condition:
            self._lines[stream].append({"timestamp": at, "message": message})
            self._condition.notify()

    def flush(self) -> None:
        """Send all collected lines."""
        with self._condition:
            lines, self._lines = self._lines, defaultdict(list)
        for stream, events in lines.items():
            try:
                self._send(stream, events)
            except (ClientError, BotoCoreError, RoleNotAssumable) as error:
                log.info("no logs in %s: %s", stream.name, error)
            except Exception:  # a failure of one stream must not stop the others
                log.exception("no logs in %s", stream.name)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._lines)
            self._runtime.stopping.wait(BATCH_SECONDS)
            self.flush()

    def _send(self, stream: Stream, events: list[dict[str, Any]]) -> None:
        client = self._client(stream)
        target = {"logGroupName": stream.group, "logStreamName": stream.name}
        for batch in _batches(events):
            try:
                client.put_log_events(**target, logEvents=batch)
            except client.exceptions.ResourceNotFoundException:
                self._create(client, stream, target)
                client.put_log_events(**target, logEvents=batch)

    def _create(self, client: Any, stream: Stream, target: dict[str, str]) -> None:
        try:
            client.create_log_stream(**target)
        except client.exceptions.ResourceNotFoundException:
            client.create_log_group(logGroupName=stream.group)
            client.create_log_stream(**target)

    def _client(self, stream: Stream) -> Any:
        key = (stream.role_arn, stream.region, stream.service, stream.session_name, stream.source_arn)
        created, client = self._clients.get(key, (0.0, None))
        if client is None or time.monotonic() - created > CLIENT_SECONDS:
            client = self._runtime.client(
                "logs", stream.role_arn, stream.service, stream.region, stream.session_name, stream.source_arn
            )
            self._clients[key] = (time.monotonic(), client)
        return client


def _batches(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Split events into batches that fit one PutLogEvents call, in chronological order."""
    batches: list[list[dict[str, Any]]] = [[]]
    size = 0
    for event in sorted(events, key=lambda event: event["timestamp"]):  # several threads may add to a stream
        weight = len(event["message"].encode()) + EVENT_OVERHEAD
        if batches[-1] and (size + weight > BATCH_BYTES or len(batches[-1]) == BATCH_EVENTS):
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += weight
    return batches
