"""The job's log: printed, and sent to CloudWatch Logs while the job runs."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

INTERVAL = 1.0  # seconds between two batches
BATCH_EVENTS = 250  # CloudWatch Logs accepts 10,000 events and 1 MiB per batch
# Characters per event. A character has up to four bytes, so a full batch stays below 1 MiB.
EVENT_CHARACTERS = 1000
EXIT_TIMEOUT = 30.0  # seconds to send what is left


class JobLog:
    """A log that any thread can write to. Without a log group it only prints.

    A failing CloudWatch Logs never stops the job: the error is printed to standard error.
    A closed standard output sends SIGTERM to this process, because the command that started it is gone.
    """

    def __init__(self, group: str | None, stream: str | None, region: str) -> None:
        self._target = {"logGroupName": group, "logStreamName": stream}
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._sender: threading.Thread | None = None
        if group:
            retries = Config(retries={"mode": "standard", "max_attempts": 8})
            self._logs: Any = boto3.client("logs", region_name=region, config=retries)
            self._sender = threading.Thread(target=self._send_regularly, name="log", daemon=True)

    def __enter__(self) -> JobLog:
        if self._sender:
            try:
                # The stream exists when the runner restarts on the same host.
                with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                    self._logs.create_log_stream(**self._target)
            except (ClientError, BotoCoreError) as error:
                self._report(error)
            self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._sender:
            self._sender.join(EXIT_TIMEOUT)

    def write(self, line: str) -> None:
        """Print a line, and queue it for CloudWatch Logs."""
        try:
            print(line, flush=True)
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # stays open until the process ends
            signal.raise_signal(signal.SIGTERM)
        if self._sender:
            message = line[:EVENT_CHARACTERS] or " "  # CloudWatch Logs refuses empty messages
            self._events.put({"timestamp": int(time.time() * 1000), "message": message})

    def _send_regularly(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._send_queued()
        self._send_queued()

    def _send_queued(self) -> None:
        while events := self._next_batch():
            try:
                self._logs.put_log_events(**self._target, logEvents=events)
            except (ClientError, BotoCoreError) as error:
                self._report(error)

    def _next_batch(self) -> list[dict[str, Any]]:
        """Return the next events in the order of their timestamps, which CloudWatch Logs requires.

        Two threads may read the clock in one order and queue their events in the other.
        """
        events: list[dict[str, Any]] = []
        while len(events) < BATCH_EVENTS and not self._events.empty():
            events.append(self._events.get())
        return sorted(events, key=lambda event: event["timestamp"])

    def _report(self, error: Exception) -> None:
        print(f"cannot write to CloudWatch Logs: {error}", file=sys.stderr, flush=True)
