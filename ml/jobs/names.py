"""Names of jobs, computed from what decides their result: an interrupted command finds its job again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ml.jobs.job_inputs import fingerprint

Job = dict[str, Any]
Describe = Callable[[str], Job | None]
MAX_ATTEMPTS = 1000


def attempt(prefix: str, digest: str, describe: Describe, *, again: bool = False) -> tuple[str, Job | None]:
    """Return the name to use for a job, and its description if the job is running or has succeeded.

    AWS never frees the name of a job, so the attempt after a failed, stopped or repeated job has another suffix. Of
    the attempts that succeeded, the latest counts.

    prefix: the start of the name.
    digest: the fingerprint of the job's inputs.
    describe: returns a job as {"status": …, "usable": bool, …}, or None if there is no such job.
    again: ignore jobs that have succeeded.
    """
    succeeded = None
    for number in range(MAX_ATTEMPTS):
        name = f"{prefix}-{fingerprint(digest=digest, attempt=number)[:7]}"
        job = describe(name)
        if job is None:
            return succeeded or (name, None)
        if job["status"] in ("InProgress", "Stopping"):
            return name, job
        if job["status"] == "Completed" and job["usable"] and not again:
            succeeded = name, job
    raise AssertionError(f"{MAX_ATTEMPTS} attempts of {prefix}")
