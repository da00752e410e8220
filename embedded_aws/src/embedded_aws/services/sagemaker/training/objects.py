"""S3 as a job's role reads it: every object through access control, but not through HTTP.

A data set of thousands of pictures costs some ten seconds of HTTP per job on two cores, and less than one this way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.s3.models import FakeBucket, FakeKey, s3_backends

from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.gate import Gate
from embedded_aws.iam.request import Call
from embedded_aws.runtime import ACCOUNT_ID, Runtime


class S3Error(Exception):
    """An answer of S3 that is an error: its code and message."""


class RoleObjects:
    """Lists and reads objects with the permissions of a role's session."""

    def __init__(self, runtime: Runtime, credentials: dict[str, str], region: str) -> None:
        """credentials: as Runtime.assume returns them."""
        self._gate, self._region = runtime.get(Gate), region
        principal = self._gate.principal(credentials["AWS_ACCESS_KEY_ID"])
        assert principal is not None
        self._principal = principal

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys below a prefix, in order. Raises S3Error."""
        self._authorize("ListObjectsV2", Bucket=bucket, Prefix=prefix)
        keys = dict.keys(self._bucket(bucket).keys)
        yield from sorted(key for key in list(keys) if key.startswith(prefix) and self._latest(bucket, key))

    def read(self, bucket: str, key: str) -> bytes:
        """The content of an object. Raises S3Error."""
        self._authorize("GetObject", Bucket=bucket, Key=key)
        found = self._latest(bucket, key)
        if found is None:
            raise S3Error("NoSuchKey: The specified key does not exist.")
        return found.value

    def _authorize(self, operation: str, **parameters: Any) -> None:
        call = Call("s3", "s3", operation, "s3", self._region, parameters, {})
        try:
            self._gate.authorize(self._principal, call)
        except Refusal as refusal:
            raise S3Error(f"AccessDenied: {refusal}") from refusal

    def _bucket(self, name: str) -> FakeBucket:
        found = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name)
        if found is None:
            raise S3Error("NoSuchBucket: The specified bucket does not exist")
        return found

    def _latest(self, bucket: str, key: str) -> FakeKey | None:
        """The current version of an object, unless it is a delete marker."""
        found = self._bucket(bucket).keys.get(key)
        return found if isinstance(found, FakeKey) else None
