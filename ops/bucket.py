"""Everything in a bucket, or below a prefix of it: count it, delete it.

Versions, delete markers and unfinished uploads count as well: S3 bills for them, and deletes no bucket that has any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ops import waiting
from ops.aws import error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.s3 import DELETE_LIMIT
from ops.text import clause

WORKERS = (
    8  # S3 deletes at least 3,500 objects a second below a prefix; one DeleteObjects of 1,000 takes 1 to 2 s
)
COUNT_LIMIT = 1_000_000  # versions; counting more takes minutes
RETRY_SECONDS = 120  # how long S3 may fail to delete an object for reasons of its own
PASSES = 5  # how often a bucket is listed to its end: other programs may write to it meanwhile

_TRANSIENT = {"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"}

Progress = Callable[[str], None]
Version = dict[str, str]


@dataclass(frozen=True)
class Contents:
    """What is in a bucket.

    versions: of objects, delete markers included.
    size: bytes of all versions.
    uploads: unfinished multipart uploads.
    complete: False if the count ended at COUNT_LIMIT.
    """

    versions: int = 0
    size: int = 0
    uploads: int = 0
    complete: bool = True

    def __bool__(self) -> bool:
        return bool(self.versions or self.uploads)


def contents(
    env: Environment, bucket: str, prefix: str = "", progress: Progress = lambda text: None
) -> Contents:
    """Count what is in a bucket. A bucket that does not exist is empty."""
    versions = size = 0
    try:
        for page in _pages(env, bucket, prefix):
            versions += len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
            size += sum(item["Size"] for item in page.get("Versions", []))
            progress(f"counting object versions: {versions:,}")
            if versions >= COUNT_LIMIT:
                return Contents(versions, size, 0, complete=False)
        return Contents(versions, size, sum(1 for _ in _uploads(env, bucket, prefix)))
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return Contents()
        raise


def holds_anything(env: Environment, bucket: str) -> bool:
    """Return whether a bucket exists and has an object or a version."""
    try:
        found = env.client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return False
        raise
    return bool(found.get("Versions") or found.get("DeleteMarkers"))


def empty(
    env: Environment,
    bucket: str,
    prefix: str = "",
    *,
    chosen: Callable[[str], bool] = lambda key: True,
    expected: int | None = None,
    progress: Progress = lambda text: None,
) -> int:
    """Delete every version, delete marker and unfinished upload. Returns how many versions and markers there were.

    A bucket that does not exist is empty.

    chosen: whether to delete what a key names.
    expected: number of versions, for the progress.

    Raises:
        OperatorError: S3 does not delete one, or something keeps writing to the bucket.
    """
    deletion = _Deletion(env, bucket, expected, progress)
    try:
        for upload in _uploads(env, bucket, prefix):
            if chosen(upload["Key"]):
                _abort(env, bucket, upload)
        for _ in range(PASSES):
            if not deletion.run(_pages(env, bucket, prefix), chosen):
                return deletion.deleted
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return deletion.deleted
        raise
    raise OperatorError(
        f"The bucket {bucket} has new objects each time it is emptied ({deletion.deleted:,} versions deleted): stop what "
        "writes to it, then run the same command again."
    )


@dataclass
class _Deletion:
    """Parallel DeleteObjects requests.

    deleted: versions deleted so far.
    """

    env: Environment
    bucket: str
    expected: int | None
    progress: Progress
    deleted: int = 0
    _began: float = field(default_factory=time.monotonic)

    def run(self, pages: Iterator[dict[str, Any]], chosen: Callable[[str], bool]) -> int:
        """Delete the chosen versions that pages list. Returns how many there were."""
        listed = 0
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="delete") as pool:
            running: set[Future[int]] = set()
            try:
                for batch in _batches(pages, chosen):
                    listed += len(batch)
                    running.add(pool.submit(self._delete, batch))
                    if len(running) >= 2 * WORKERS:
                        running = self._collect(running)
                while running:
                    running = self._collect(running)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return listed

    def _collect(self, running: set[Future[int]]) -> set[Future[int]]:
        """Wait until a request is finished, report progress, and return the others."""
        done, others = wait(running, return_when=FIRST_COMPLETED)
        self.deleted += sum(request.result() for request in done)
        of = f" of {self.expected:,}" if self.expected and self.expected >= self.deleted else ""
        rate = self.deleted / max(time.monotonic() - self._began, 0.001)
        self.progress(f"deleted {self.deleted:,}{of} object versions ({rate:,.0f}/s)")
        return others

    def _delete(self, versions: list[Version]) -> int:
        """Delete up to DELETE_LIMIT versions, again those that S3 failed to delete. Returns how many."""
        left = versions

        def delete() -> bool | None:
            nonlocal left
            left, failed = self._request(left)
            if lasting := [error for error in failed if error.get("Code") not in _TRANSIENT]:
                raise OperatorError(self._failure(lasting))
            failures[:] = failed
            return None if left else True

        failures: list[dict[str, str]] = []
        waiting.wait_for(delete, seconds=RETRY_SECONDS, on_timeout=lambda: self._failure(failures))
        return len(versions)

    def _request(self, versions: list[Version]) -> tuple[list[Version], list[dict[str, str]]]:
        """Send one DeleteObjects. Returns what is not deleted, and the errors."""
        try:
            answer = self.env.client("s3").delete_objects(
                Bucket=self.bucket, Delete={"Objects": versions, "Quiet": True}
            )
        except ClientError as error:
            if error_code(error) not in _TRANSIENT:
                raise
            return versions, [{**versions[0], **error.response["Error"]}]
        errors: list[dict[str, str]] = answer.get("Errors", [])
        failed = {(error["Key"], error.get("VersionId")) for error in errors}
        # Without a version ID in the error, all versions of the key are deleted again: S3 ignores what is gone.
        left = [v for v in versions if (v["Key"], v["VersionId"]) in failed or (v["Key"], None) in failed]
        return left, errors

    def _failure(self, errors: list[dict[str, str]]) -> str:
        first = errors[0]
        more = f" and {len(errors) - 1} other objects" if len(errors) > 1 else ""
        return (
            f"S3 did not delete {first['Key']}{more} in bucket {self.bucket} ({first.get('Code', 'Unknown')}: "
            f"{clause(first.get('Message', 'no message'))}); {self.deleted:,} versions are deleted. Fix the cause and run "
            "the same command again."
        )


def _batches(pages: Iterator[dict[str, Any]], chosen: Callable[[str], bool]) -> Iterator[list[Version]]:
    """Yield the chosen versions of pages, at most DELETE_LIMIT at once."""
    for page in pages:
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [
            {"Key": item["Key"], "VersionId": item["VersionId"]} for item in found if chosen(item["Key"])
        ]
        for start in range(0, len(versions), DELETE_LIMIT):
            yield versions[start : start + DELETE_LIMIT]


def _pages(env: Environment, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    return iter(env.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))


def _uploads(env: Environment, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
    pages = env.client("s3").get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield from page.get("Uploads", [])


def _abort(env: Environment, bucket: str, upload: dict[str, str]) -> None:
    try:
        env.client("s3").abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except ClientError as error:
        if error_code(error) != "NoSuchUpload":
            raise
