"""Names of jobs, computed from what decides their result: a killed command finds its job again."""

from __future__ import annotations

from collections.abc import Callable

from ml.jobs.job_inputs import fingerprint

Describe = Callable[[str], dict | None]


def attempt(stem: str, digest: str, describe: Describe, *, again: bool = False) -> tuple[str, dict | None]:
    """The name to use for a job, and its description if it already runs or has succeeded.

    AWS never forgets the name of a job, so a failed, stopped or repeated one is followed by the next attempt, whose
    name has another suffix; of those that have succeeded, the latest counts. describe(name): the job as
    {"status": …, "usable": bool, …}, or None if there is no such job. again: pass over jobs that have succeeded, too.
    """
    succeeded = None
    for number in range(1000):
        name = f"{stem}-{fingerprint(digest=digest, attempt=number)[:7]}"
        job = describe(name)
        if job is None:
            return succeeded or (name, None)
        if job["status"] in ("InProgress", "Stopping"):
            return name, job
        if job["status"] == "Completed" and job["usable"] and not again:
            succeeded = name, job
    raise AssertionError(f"1000 attempts of {stem}")
