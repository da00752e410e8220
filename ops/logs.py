"""The last lines of a log in CloudWatch, for the message about what has failed."""

from __future__ import annotations

import re

from botocore.exceptions import ClientError

from ops.aws import error_code, is_denied
from ops.environment import Environment
from ops.text import clause

LINES = 5
LONGEST = 900  # characters of all lines in a message
# What SageMaker gives as the reason if it knows nothing but that the program ended.
_NO_REASON = re.compile(
    r"(AlgorithmError:?)?\s*(ExecuteUserScriptError:?)?\s*,?\s*(exit ?code:? ?-?\d+)?\W*", re.I
)


def last_lines(env: Environment, group: str, prefix: str = "", count: int = LINES) -> list[str]:
    """Return the last lines of the stream that was written last; none without a log, or without permission to read it.

    prefix: of the names of the streams.
    """
    logs, named = env.client("logs"), {"logStreamNamePrefix": prefix} if prefix else {}
    try:
        pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, **named)
        streams = [stream for page in pages for stream in page["logStreams"]]
        if not streams:
            return []
        latest = max(streams, key=lambda stream: stream.get("lastEventTimestamp", 0))
        events = logs.get_log_events(
            logGroupName=group, logStreamName=latest["logStreamName"], limit=count, startFromHead=False
        )["events"]
    except ClientError as error:
        if is_denied(error) or error_code(error) == "ResourceNotFoundException":
            return []
        raise
    return [line for event in events if (line := " ".join(event["message"].split()))]


def with_last_lines(env: Environment, reason: str, group: str, prefix: str = "") -> str:
    """Return AWS's reason of a failure as a clause; if it names none, with the last lines of the log.

    reason: FailureReason, or an empty string. group, prefix: as of `last_lines`.
    """
    if not _NO_REASON.fullmatch(reason.strip()):
        return clause(reason)
    stated = clause(reason) if reason.strip() else "AWS gives no reason"
    return f"{stated}; {quoted(last_lines(env, group, prefix))}"


def quoted(lines: list[str]) -> str:
    """Return the last lines of a log as a clause."""
    if not lines:
        return "its log has no lines that you may read"
    return f"the last lines of its log: {clause(' / '.join(lines), LONGEST)}"
