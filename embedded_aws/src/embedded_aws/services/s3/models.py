"""S3: delete markers that can be removed, so that a versioned bucket can be emptied."""

from __future__ import annotations

from moto.s3.models import FakeDeleteMarker


class DeleteMarker(FakeDeleteMarker):
    """A delete marker; moto calls `dispose` on every version it removes, and its own markers have none."""

    def dispose(self, garbage: bool = False) -> None:
        """Nothing to release: a marker holds no bytes."""
