"""Follow a job on SageMaker: its status and its log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.environment import Environment
from ops.waiting import Pause

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
TERMINAL = {"Completed", "Failed", "Stopped"}


MARGIN_SECONDS = 3 * 3600
"""Beyond a job's own limit: SageMaker waits up to 2 hours for capacity, then downloads and uploads."""


def outlived(job: str, limit: float, stop: str) -> str:
    """Return the sentence about a job that runs although its own limit, in seconds, has passed. stop: ends it."""
    return (
        f"The job {job} has not ended {MARGIN_SECONDS // 3600} hours after its own limit of {limit / 3600:.1f} hours: look at "
        f"the AWS console, and end it with {stop}."
    )


class LogTail:
    """Reads the log lines of a job that arrived since the last read."""

    def __init__(self, env: Environment, job: str, group: str = LOG_GROUP) -> None:
        """group: the log group, whose streams are named `<job>/…`."""
        self._job, self._logs, self._group = job, env.client("logs"), group
        self._tokens: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        """Return the new lines, one instance after the other."""
        try:
            streams = self._logs.describe_log_streams(
                logGroupName=self._group, logStreamNamePrefix=f"{self._job}/"
            )
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return  # nothing is logged yet
            raise
        for stream in streams["logStreams"]:
            yield from self._new_lines(stream["logStreamName"])

    def _new_lines(self, stream: str) -> Iterator[str]:
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
    env: Environment, name: str, on_status: Callable[[str], None], on_line: Callable[[str], None]
) -> dict[str, Any]:
    """Follow a training job until it ends. Returns its description. Raises OperatorError if it outlives its own limit."""
    sagemaker, training = env.client("sagemaker"), env.settings.training
    return until_ended(
        lambda: sagemaker.describe_training_job(TrainingJobName=name),
        LogTail(env, name),
        job=name,
        status=lambda job: str(job["TrainingJobStatus"]),
        detail=lambda job: str(job.get("SecondaryStatus", job["TrainingJobStatus"])),
        limit=training.max_runtime_seconds * (2 if training.spot else 1),
        stop=f"./inv train{env.settings.flag} --stop",
        on_status=on_status,
        on_line=on_line,
    )


def until_ended(
    describe: Callable[[], dict[str, Any]],
    tail: LogTail,
    *,
    job: str,
    status: Callable[[dict[str, Any]], str],
    detail: Callable[[dict[str, Any]], str] | None = None,
    limit: float,
    stop: str,
    on_status: Callable[[str], None],
    on_line: Callable[[str], None],
) -> dict[str, Any]:
    """Follow a job until it ends. Returns its description. Raises OperatorError if it outlives its own limit.

    describe: returns the job's description.
    job: its name.
    status, detail: of a description: the status that ends, and what is shown, which may have more steps.
    limit: the job's own, in seconds.
    stop: the command that ends it.
    """
    last = ""
    pause = Pause(limit=limit + MARGIN_SECONDS, on_timeout=lambda: outlived(job, limit, stop))
    while True:
        found = describe()
        for line in tail.lines():
            on_line(line)
        if (shown := (detail or status)(found)) != last:
            on_status(shown)
            last = shown
        if status(found) in TERMINAL:
            for line in tail.lines():
                on_line(line)
            return found
        pause()
