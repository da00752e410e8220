"""S3 records: objects with their bytes on disk, delete markers that can be deleted."""

from __future__ import annotations

from moto.s3 import urls
from moto.s3.models import FakeDeleteMarker, S3Backend

from embedded_aws.runtime import Runtime


class EmbeddedS3Backend(S3Backend):
    """moto's backend; objects reach the blob store through its runtime."""

    _url_module = urls
    runtime: Runtime


class DeleteMarker(FakeDeleteMarker):
    """A delete marker that can be deleted: moto calls `dispose` on each version it removes, which its class lacks."""

    def dispose(self, garbage: bool = False) -> None:
        """Do nothing: a marker holds no bytes."""
