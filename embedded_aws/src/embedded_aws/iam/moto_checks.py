"""moto's permission checks on buckets, answered with the decisions of the gate."""

from __future__ import annotations

from contextvars import ContextVar

from moto.iam.access_control import PermissionResult
from moto.s3 import models

denied_objects: ContextVar[frozenset[str]] = ContextVar("denied_objects", default=frozenset())
"""ARNs of the objects that the current DeleteObjects call must not delete."""


def get_permission(self: models.FakeBucket, action: str, resource: str) -> PermissionResult:
    return PermissionResult.DENIED if resource in denied_objects.get() else PermissionResult.PERMITTED
