"""The job's log: printed, and sent to CloudWatch Logs line by line while it grows."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from types import TracebackType

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

EVERY = 1.0  # seconds between two sendings
BATCH = 250  # events of one sending; CloudWatch Logs takes 10,000, and 1 MiB
LONGEST = 1000  # characters of an event, of four bytes at most, so that a batch is never too large


class Log:
    """`say(line)` from any thread. Without a group it only prints. What cannot be sent is printed still: no job dies of it.

    Where nobody reads what is printed any more, the job is asked to stop, as by SIGTERM: who started it is gone.
    """

    def __init__(self, group: str | None, stream: str | None, region: str) -> None:
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._events: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._sender: threading.Thread | None = None
        if group:
            retries = {"mode": "standard", "max_attempts": 8}
            self._logs = boto3.client("logs", region_name=region, config=Config(retries=retries))  # type: ignore[arg-type]
            self._sender = threading.Thread(target=self._send, name="log", daemon=True)

    def __enter__(self) -> Log:
        if self._sender:
            try:
                # Of a program that is started again there, the stream goes on.
                with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                    self._logs.create_log_stream(**self._where)
            except (ClientError, BotoCoreError) as error:
                self._complain(error)
            self._sender.start()
        return self

    def say(self, line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until this process ends
            signal.raise_signal(signal.SIGTERM)
        if self._sender:
            self._events.put({"timestamp": int(time.time() * 1000), "message": line[:LONGEST] or " "})

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._sender:
            self._sender.join(30)

    def _send(self) -> None:
        while not self._ended.wait(EVERY):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while events := self._batch():
            try:
                self._logs.put_log_events(**self._where, logEvents=events)
            except (ClientError, BotoCoreError) as error:
                self._complain(error)

    def _batch(self) -> list[dict]:
        events: list[dict] = []
        while len(events) < BATCH and not self._events.empty():
            events.append(self._events.get())
        # As CloudWatch Logs wants them: two threads may have looked at the clock in one order, and come in the other.
        return sorted(events, key=lambda event: event["timestamp"])

    def _complain(self, error: Exception) -> None:
        print(f"CloudWatch Logs did not take the log: {error}", file=sys.stderr, flush=True)
