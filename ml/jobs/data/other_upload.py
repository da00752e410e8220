"""Wait for an upload by another command, which its journal shows: it is rewritten every few seconds."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from ml.jobs.data.parallel import Progress, quiet
from ops import waiting
from ops.environment import Environment
from ops.s3 import S3Uri

SILENT_SECONDS = 12
"""An upload whose journal was not written for so long has been interrupted."""

_LIMIT_SECONDS = 3600
_WAITING = "waiting for another upload, silent seconds"


def wait(env: Environment, journal: S3Uri, progress: Progress = quiet) -> None:
    """Wait until no other upload is running: until its journal is gone, or nobody writes it any more.

    Needs permission to list the journal, not to read it. Raises OperatorError after an hour.
    """
    overall = waiting.Pause(
        limit=_LIMIT_SECONDS,
        on_timeout=lambda: (
            f"Another command has been uploading for an hour ({journal}): end it, then run again."
        ),
    )
    seen: tuple[Any, ...] = ()
    since = 0.0
    while found := _listed(env, journal):
        entry, age = found
        if entry != seen:
            seen, since = entry, overall.waited
        silent = max(age, overall.waited - since)
        if silent >= SILENT_SECONDS:
            return
        progress(_WAITING, int(silent), SILENT_SECONDS)
        overall()


def _listed(env: Environment, journal: S3Uri) -> tuple[tuple[Any, ...], float] | None:
    """Return what identifies the journal's version, and its age in seconds by S3's clock; None without a journal."""
    answer = env.client("s3").list_objects_v2(Bucket=journal.bucket, Prefix=journal.key, MaxKeys=1)
    if not answer["KeyCount"]:
        return None
    entry = answer["Contents"][0]
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (entry["ETag"], entry["LastModified"]), (now - entry["LastModified"]).total_seconds()
