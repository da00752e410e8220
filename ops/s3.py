"""Objects in S3: one type for their URIs, one way to write them encrypted with the environment's KMS key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from ops.aws import error_code, remedy
from ops.environment import Environment
from ops.errors import OperatorError
from ops.text import clause

DELETE_LIMIT = 1000  # objects in one DeleteObjects request
ATTEMPTS = 5  # to read an object whose transfer is cut off
_CUT_OFF = (ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


@dataclass(frozen=True)
class S3Uri:
    """An object, or a prefix of objects.

    bucket: its bucket.
    key: its key; a prefix ends with a slash.
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> S3Uri:
        """Return the URI that `s3://bucket/key` is. Raises ValueError for anything else."""
        bucket, _, key = text.removeprefix("s3://").partition("/")
        if not text.startswith("s3://") or not bucket:
            raise ValueError(f"{text!r} is not an S3 URI: it must look like s3://bucket/key")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> S3Uri:
        """Return the URI of `name` below this prefix."""
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))


def in_data_bucket(env: Environment, key: str) -> S3Uri:
    """Return the URI of a key in the environment's data bucket."""
    return S3Uri(env.data_bucket, key)


def encryption(env: Environment) -> dict[str, str]:
    """Return the S3 parameters that encrypt an object with the environment's KMS key."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": env.outputs.foundation.kms_key_arn}


def put_object(env: Environment, key: str, body: bytes, **parameters: str) -> dict[str, Any]:
    """Write an object to the data bucket, encrypted. Returns the answer of PutObject.

    parameters: further ones of PutObject, such as ContentType.
    """
    answer: dict[str, Any] = env.client("s3").put_object(
        Bucket=env.data_bucket, Key=key, Body=body, **parameters, **encryption(env)
    )
    return answer


def put(env: Environment, key: str, body: bytes, **parameters: str) -> S3Uri:
    """Write an object to the data bucket, encrypted, and return its URI. parameters: as of `put_object`."""
    put_object(env, key, body, **parameters)
    return in_data_bucket(env, key)


def put_once(env: Environment, key: str, body: bytes) -> S3Uri:
    """Write an object whose key names its content, unless it is in the data bucket already."""
    uri = in_data_bucket(env, key)
    return uri if has_objects(env, uri) else put(env, key, body)


def get(env: Environment, uri: S3Uri) -> bytes | None:
    """Return the content of an object, or None if there is no such object. Raises OperatorError if it is not readable."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            body: bytes = env.client("s3").get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            if remedy(str(error)):  # of the credentials: it is the same for every request
                raise
            raise OperatorError(_unreadable(env, uri, error)) from error
        except _CUT_OFF:  # botocore repeats a request that fails, but not the transfer of its answer
            if attempt == ATTEMPTS:
                raise
        else:
            return body
    raise AssertionError


def _unreadable(env: Environment, uri: S3Uri, error: ClientError) -> str:
    code, message = error_code(error), clause(error.response.get("Error", {}).get("Message", ""))
    if code == "NoSuchBucket":
        advice = f"run ./inv apply --stack foundation{env.settings.flag} first"
    elif code.startswith("KMS.") or "kms" in message.lower():
        advice = (
            "check that the KMS key that encrypts it is enabled (aws kms enable-key, or aws kms cancel-key-deletion) and "
            "that your role may use it, then run the same command again"
        )
    else:
        advice = "check that your role may read it (aws sts get-caller-identity shows your role)"
    return f"{uri} could not be read ({code}: {message}): {advice}."


def exists(env: Environment, uri: S3Uri) -> bool:
    """Return whether there is such an object. Needs permission to read it."""
    try:
        env.client("s3").head_object(Bucket=uri.bucket, Key=uri.key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NotFound", "NoSuchBucket"):
            return False
        raise
    return True


def has_objects(env: Environment, prefix: S3Uri) -> bool:
    """Return whether any key starts with that of `prefix`. Needs permission to list the prefix, not to read it."""
    found = env.client("s3").list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key, MaxKeys=1)
    return bool(found["KeyCount"])


def delete(env: Environment, bucket: str, objects: list[dict[str, str]]) -> None:
    """Delete up to `DELETE_LIMIT` objects, given as Key and, for a version, VersionId.

    S3 answers 200 even if it does not delete some of them. Raises OperatorError in that case.
    """
    answer = env.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    if errors := answer.get("Errors", []):
        first = errors[0]
        more = f" and {len(errors) - 1} other objects" if len(errors) > 1 else ""
        raise OperatorError(
            f"S3 did not delete {first['Key']}{more} in bucket {bucket} ({first['Code']}: "
            f"{clause(first.get('Message', 'no message'))}): fix the cause and run the same command again."
        )
