"""S3: delete markers that can be emptied, and bucket policies left to the gate."""

from __future__ import annotations

from moto.iam.access_control import PermissionResult
from moto.s3 import models, responses
from moto.s3.models import FakeBucket, FakeDeleteMarker


class DeleteMarker(FakeDeleteMarker):
    """A delete marker; moto calls `dispose` on every version it removes, and its own markers have none."""

    def dispose(self, garbage: bool = False) -> None:
        """Nothing to release: a marker holds no bytes."""


class Bucket(FakeBucket):
    """A bucket whose policy is evaluated by local_aws.access, with principal and conditions.

    moto's evaluation knows neither: it takes a deny of plain HTTP for a deny of everything.
    """

    def get_permission(self, action: str, resource: str) -> PermissionResult:
        return PermissionResult.NEUTRAL


def install() -> None:
    """moto creates both by name, so the names are what is replaced."""
    models.FakeBucket = Bucket
    models.FakeDeleteMarker = responses.FakeDeleteMarker = DeleteMarker
