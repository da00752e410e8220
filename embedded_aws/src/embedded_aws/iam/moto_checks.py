"""moto's own permission checks on buckets, answered from what the gate decided."""

from __future__ import annotations

from contextvars import ContextVar

from moto.iam.access_control import PermissionResult
from moto.s3 import models

denied_objects: ContextVar[frozenset[str]] = ContextVar("denied_objects", default=frozenset())
"""ARNs of the objects that the current DeleteObjects call must leave."""


def get_permission(self: models.FakeBucket, action: str, resource: str) -> PermissionResult:
    return PermissionResult.DENIED if resource in denied_objects.get() else PermissionResult.PERMITTED
