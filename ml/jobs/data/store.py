"""The objects of one prefix of the data bucket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ml.container import images
from ml.jobs.data.parallel import Progress, quiet
from ops import s3
from ops.aws import error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.text import clause


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that was written.

    digest: what decides its bytes, as of ImageEntry or Plan.
    etag: of the object.
    size: bytes.
    sha256: of the bytes, hexadecimal.
    """

    digest: str
    etag: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Store:
    """One prefix of the data bucket; keys are relative to it."""

    env: Environment
    prefix: str

    def put(self, key: str, body: bytes, digest: str = "", **parameters: str) -> Stored:
        """Write an object, which S3 checks against its SHA-256. parameters: further ones of PutObject."""
        sha256 = hashlib.sha256(body)
        answer = s3.put_object(
            self.env,
            f"{self.prefix}{key}",
            body,
            ContentType=_media_type(key, body),
            ChecksumSHA256=base64.b64encode(sha256.digest()).decode(),
            **parameters,
        )
        return Stored(digest, str(answer["ETag"]), len(body), sha256.hexdigest())

    def get(self, key: str) -> bytes | None:
        """Return the content of an object; None if there is none."""
        return s3.get(self.env, s3.in_data_bucket(self.env, f"{self.prefix}{key}"))

    def listed(self) -> dict[str, str]:
        """Return the ETag of every object below the prefix, by key."""
        pages = self.env.client("s3").get_paginator("list_objects_v2")
        return {
            entry["Key"][len(self.prefix) :]: entry["ETag"]
            for page in pages.paginate(Bucket=self.env.data_bucket, Prefix=self.prefix)
            for entry in page.get("Contents", [])
        }

    def delete(self, keys: list[str], progress: Progress = quiet) -> None:
        """Delete objects. Raises OperatorError if S3 does not delete one."""
        for start in range(0, len(keys), s3.DELETE_LIMIT):
            batch = [{"Key": f"{self.prefix}{key}"} for key in keys[start : start + s3.DELETE_LIMIT]]
            s3.delete(self.env, self.env.data_bucket, batch)
            progress("deleting", start + len(batch), len(keys))


@contextlib.contextmanager
def operator_errors(env: Environment) -> Iterator[None]:
    """Turn errors of S3 into OperatorErrors."""
    try:
        yield
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            raise OperatorError(
                f"Bucket {env.data_bucket} does not exist: run ./inv apply --stack foundation{env.settings.flag} first."
            ) from error
        reason = clause(error.response["Error"].get("Message", ""))
        raise OperatorError(
            f"{error.operation_name} in bucket {env.data_bucket} failed with {error_code(error)} ({reason}): fix the cause "
            "and run the same command again; it does not send again what is already stored."
        ) from error
    except BotoCoreError as error:
        raise OperatorError(
            f"Bucket {env.data_bucket} could not be reached ({error}): check the connection and run the same command "
            "again; it does not send again what is already stored."
        ) from error


def _media_type(key: str, body: bytes) -> str:
    kind = images.identify(body[: images.HEAD_BYTES])
    known: str | None = images.MEDIA_TYPES.get(kind) or mimetypes.guess_type(key)[0]
    return known or "application/octet-stream"
