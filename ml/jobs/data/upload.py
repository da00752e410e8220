"""Make a data set's prefix in S3 hold exactly what its manifest says, sending only what changed.

Order, so that a stop at any point is seen and a re-run finishes: a journal is written, pictures are put, stale keys
deleted, manifest.json and current.json written, the journal deleted. While there is a journal, the prefix is
between two manifests and `current` refuses it; another data set's upload leaves the one in force alone.
"""

import base64
import contextlib
import hashlib
import json
import mimetypes
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ml.jobs.data.manifest import Manifest, Picture
from ml.jobs.data.parallel import Progress, each, quiet
from ops.errors import OperatorError

PREFIX = "datasets"
MANIFEST = "manifest.json"
JOURNAL = "upload-in-progress.json"
CURRENT = "current.json"
_FLUSH_SECONDS = 5
_DELETE_AT_ONCE = 1000  # S3's limit
_MOST_WORKERS = 32


@dataclass(frozen=True)
class Uploaded:
    """What an upload did. sent, unchanged, deleted: pictures. sent_bytes: bytes. manifest: with the ETags."""

    manifest: Manifest
    manifest_key: str
    sent: int
    sent_bytes: int
    unchanged: int
    deleted: int


def upload(
    manifest: Manifest, bucket: str, prefix: str, s3, kms_key_arn: str, progress: Progress = quiet
) -> Uploaded:
    """Bring `<prefix>/<dataset>/` to the manifest's state and make it the current data set.

    A picture is not sent again when the last manifest, or the journal of an upload that stopped, has its hash and
    the bucket still lists that object (size and ETag). manifest needs its sources. s3: a boto3 client, used from as
    many threads as it has connections. Raises OperatorError when a put or a read fails.
    """
    store = _Store(s3, bucket, f"{prefix}/{manifest.dataset}/", kms_key_arn)
    with _as_operator_error(bucket):
        listed = store.listed()
        known = [m.files for name in (MANIFEST, JOURNAL) if name in listed and (m := store.manifest(name))]
        etags = {}
        for key, picture in manifest.files.items():
            there = listed.get(key)
            if there and any(_same(files.get(key), picture, there) for files in known):
                etags[key] = there[0]
        unchanged = len(etags)
        to_send = [key for key in manifest.files if key not in etags]
        stale = [key for key in listed if key not in manifest.files and key not in (MANIFEST, JOURNAL)]
        if to_send or stale:
            _send(store, manifest, to_send, etags, progress)
            store.delete(stale, progress)
        result = manifest.stored(etags)
        store.put(MANIFEST, result.to_json().encode())
        pointer = {
            "dataset": manifest.dataset,
            "manifest_key": f"{store.home}{MANIFEST}",
            "hash": manifest.hash,
        }
        _Store(s3, bucket, f"{prefix}/", kms_key_arn).put(CURRENT, json.dumps(pointer).encode())
        if to_send or stale or JOURNAL in listed:
            store.delete([JOURNAL])
    sent_bytes = sum(manifest.files[key].size for key in to_send)
    return Uploaded(result, pointer["manifest_key"], len(to_send), sent_bytes, unchanged, len(stale))


def current(bucket: str, s3, environment: str | None = None, prefix: str = PREFIX) -> Manifest:
    """The manifest of the data set in force.

    Raises OperatorError when there is none, when its upload stopped half-way, or when its parts do not fit.
    """
    where = f"environment {environment}" if environment else f"bucket {bucket}"
    with _as_operator_error(bucket):
        try:
            pointer = json.loads(s3.get_object(Bucket=bucket, Key=f"{prefix}/{CURRENT}")["Body"].read())
            text = s3.get_object(Bucket=bucket, Key=pointer["manifest_key"])["Body"].read()
        except s3.exceptions.NoSuchKey as error:
            raise OperatorError(f"No data in {where}: run ./inv data first.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise OperatorError(f"{prefix}/{CURRENT} in {where} is damaged: run ./inv data again.") from error
        try:
            found = Manifest.from_json(text)
        except ValueError as error:
            raise OperatorError(
                f"{pointer['manifest_key']} in {where} is damaged ({error}): run ./inv data again."
            ) from error
        journal = f"{prefix}/{found.dataset}/{JOURNAL}"
        interrupted = s3.list_objects_v2(Bucket=bucket, Prefix=journal, MaxKeys=1)["KeyCount"]
        if interrupted or found.hash != pointer.get("hash"):
            raise OperatorError(
                f"The upload of data set {found.dataset} to {where} did not finish: run ./inv data again to finish it."
            )
    return found


@dataclass(frozen=True)
class _Store:
    """One prefix of a bucket; keys are relative to it."""

    s3: Any  # boto3 clients have no static type
    bucket: str
    home: str
    kms_key_arn: str

    def put(self, key: str, body: bytes) -> str:
        """Store body encrypted with the bucket's key; S3 checks it against its SHA-256. Returns the ETag."""
        answer = self.s3.put_object(
            Bucket=self.bucket,
            Key=self.home + key,
            Body=body,
            ContentType=mimetypes.guess_type(key)[0] or "application/octet-stream",
            ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.kms_key_arn,
        )
        return answer["ETag"]

    def manifest(self, key: str) -> Manifest | None:
        """A stored manifest or journal; None when damaged, which only means that everything is sent again."""
        body = self.s3.get_object(Bucket=self.bucket, Key=self.home + key)["Body"].read()
        try:
            return Manifest.from_json(body)
        except ValueError:
            return None

    def listed(self) -> dict[str, tuple[str, int]]:
        """Key to (ETag, bytes) of everything in the prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.home)
        return {
            entry["Key"][len(self.home) :]: (entry["ETag"], entry["Size"])
            for page in pages
            for entry in page.get("Contents", [])
        }

    def delete(self, keys: list[str], progress: Progress = quiet) -> None:
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            batch = [{"Key": self.home + key} for key in keys[start : start + _DELETE_AT_ONCE]]
            answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
            for error in answer.get("Errors", []):
                raise OperatorError(
                    f"{error['Key']} in bucket {self.bucket} could not be deleted ({error['Code']}): run again."
                )
            progress("deleting", start + len(batch), len(keys))


def _same(old: Picture | None, new: Picture, there: tuple[str, int]) -> bool:
    return old is not None and old.sha256 == new.sha256 and there == (old.etag, new.size)


def _send(
    store: _Store, manifest: Manifest, keys: list[str], etags: dict[str, str], progress: Progress
) -> None:
    """Put the pictures; etags gains each as it is stored. The journal follows every few seconds, and at a stop."""

    def put(key: str) -> None:
        path = manifest.sources[key]
        try:
            body = path.read_bytes()
        except OSError as error:
            raise OperatorError(f"{path} could not be read ({error.strerror}): run again.") from error
        if hashlib.sha256(body).hexdigest() != manifest.files[key].sha256:
            raise OperatorError(f"{path} changed while it was being uploaded: run again.")
        etags[key] = store.put(key, body)

    def flush() -> None:
        done = dict(etags)  # other threads go on adding
        files = {key: manifest.files[key] for key in done}
        store.put(JOURNAL, Manifest(manifest.dataset, files).stored(done).to_json().encode())

    flush()
    flushed = time.monotonic()
    workers = min(_MOST_WORKERS, store.s3.meta.config.max_pool_connections)
    try:
        for _ in each(put, keys, "uploading", progress, workers):
            if time.monotonic() - flushed > _FLUSH_SECONDS:
                flush()
                flushed = time.monotonic()
    except BaseException:
        # What made the upload stop may stop this too; then the re-run sends a little more.
        with contextlib.suppress(ClientError, BotoCoreError):
            flush()
        raise


@contextlib.contextmanager
def _as_operator_error(bucket: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, message = (error.response["Error"].get(name, "") for name in ("Code", "Message"))
        if code == "NoSuchBucket":
            raise OperatorError(
                f"Bucket {bucket} does not exist: run ./inv apply --stack foundation first."
            ) from error
        raise OperatorError(
            f"{error.operation_name} in bucket {bucket} failed with {code} ({message}): mend that and run again; what "
            "is there already is not sent twice."
        ) from error
    except BotoCoreError as error:
        raise OperatorError(
            f"Bucket {bucket} could not be reached ({error}): check the connection and run again; what is there already "
            "is not sent twice."
        ) from error
