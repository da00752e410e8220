"""Following a long job: status by status, log line by log line, politely."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from ops.aws import client, error_code

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
TERMINAL = {"Completed", "Failed", "Stopped"}


def pauses(shortest: float = 0.5, longest: float = 10.0) -> Iterator[None]:
    """Pause between looks: short at first, longer as the wait grows (seconds)."""
    began = time.monotonic()
    while True:
        yield
        time.sleep(min(longest, max(shortest, (time.monotonic() - began) / 30)))


class LogTail:
    """New log lines of a training job since the last look. group: the log group, whose streams are `<job>/…`."""

    def __init__(self, job: str, region: str, group: str = LOG_GROUP):
        self._job, self._logs, self._group = job, client("logs", region), group
        self._tokens: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        """The lines that arrived since the last call, instance by instance."""
        try:
            streams = self._logs.describe_log_streams(
                logGroupName=self._group, logStreamNamePrefix=f"{self._job}/"
            )
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return  # nothing has logged yet
            raise
        for stream in streams["logStreams"]:
            yield from self._new(stream["logStreamName"])

    def _new(self, stream: str) -> Iterator[str]:
        while True:
            token = self._tokens.get(stream)
            more = {"nextToken": token} if token else {}
            page = self._logs.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **more
            )
            yield from (event["message"].rstrip() for event in page["events"])
            self._tokens[stream] = page["nextForwardToken"]
            if not page["events"] or page["nextForwardToken"] == token:
                return


def training_job(
    name: str, region: str, on_status: Callable[[str], None], on_line: Callable[[str], None]
) -> dict:
    """Follow a training job to its end. Returns its description."""
    sagemaker, tail, last = client("sagemaker", region), LogTail(name, region), ""
    for _ in pauses():
        job = sagemaker.describe_training_job(TrainingJobName=name)
        for line in tail.lines():
            on_line(line)
        if (status := job.get("SecondaryStatus", job["TrainingJobStatus"])) != last:
            on_status(status)
            last = status
        if job["TrainingJobStatus"] in TERMINAL:
            for line in tail.lines():
                on_line(line)
            return job
    raise AssertionError("pauses() never ends")
