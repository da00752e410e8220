"""S3 records: objects with their bytes on disk, versions that can be deleted while they are listed."""

from __future__ import annotations

import copy
import time
import uuid
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from moto.s3 import notifications, urls
from moto.s3.exceptions import (
    AccessDeniedByLock,
    InvalidArgumentError,
    InvalidContinuationToken,
    MethodNotAllowed,
)
from moto.s3.models import (
    FakeBucket,
    FakeDeleteMarker,
    FakeKey,
    FakeMultipart,
    FakeTableStorageBucket,
    S3Backend,
)

from embedded_aws.runtime import Runtime
from embedded_aws.services.s3 import listing
from embedded_aws.services.s3.listing import Page
from embedded_aws.state.blobs import StoredKey


def new_version_id() -> str:
    """Return a version ID that is greater than those of older versions.

    A listing that continues after a version that has been deleted knows by its ID what follows, also after a restart.
    """
    return f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}"


class ObjectVersion(StoredKey):
    """An object. In a versioned bucket, its version IDs are in the order of the versions."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self._version_id not in (None, "null"):
            self._version_id = new_version_id()


class DeleteMarker(FakeDeleteMarker):
    """A delete marker that can be deleted: moto calls `dispose` on each version it removes, which its class lacks."""

    def __init__(self, key: FakeKey | DeleteMarker):
        # Without a chain of markers: a saved state cannot hold a long one.
        super().__init__(key.key if isinstance(key, DeleteMarker) else key)
        self._version_id = new_version_id()

    def dispose(self, garbage: bool = False) -> None:
        """Do nothing: a marker holds no bytes."""


class Upload(FakeMultipart):
    """An unfinished multipart upload with the time of its start."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.initiated = datetime.now(timezone.utc)


class EmbeddedS3Backend(S3Backend):
    """moto's backend with AWS's listings; objects reach the blob store through its runtime."""

    _url_module = urls
    runtime: Runtime

    def list_objects(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        marker: str | None,
        max_keys: int | None,
    ) -> tuple[list[FakeKey], list[str], bool, str | None]:
        """Return objects, common prefixes, whether more follow, and the next page's marker."""
        found = self._objects(bucket, prefix, delimiter, marker, max_keys)
        return found.items, found.prefixes, found.truncated, found.last if found.truncated else None

    def list_objects_v2(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        continuation_token: str | None,
        start_after: str | None,
        max_keys: int,
    ) -> tuple[list[FakeKey | str], bool, str | None]:
        """Return objects and common prefixes, whether more follow, and the next page's token."""
        marker = _marker(continuation_token) if continuation_token else start_after
        found = self._objects(bucket, prefix, delimiter, marker, max_keys)
        return (
            [*found.items, *found.prefixes],
            found.truncated,
            _token(found.last) if found.truncated else None,
        )

    def list_object_versions(
        self,
        bucket_name: str,
        delimiter: str | None = None,
        key_marker: str | None = None,
        max_keys: int | None = listing.MAX_ITEMS,
        prefix: str = "",
        version_id_marker: str | None = None,
    ) -> tuple[list[FakeKey], list[str], list[FakeDeleteMarker], str | None, str | None]:
        """Return versions, common prefixes and delete markers, and the next page's key and version markers.

        Without a version marker, the page begins with the first key after the key marker.
        """
        if version_id_marker and not key_marker:
            message = "A version-id marker cannot be specified without a key marker."
            raise InvalidArgumentError(message, "version-id-marker", version_id_marker)
        bucket = self.get_bucket(bucket_name)

        def versions(key: str) -> Iterator[FakeKey | FakeDeleteMarker]:
            stored = list(reversed(bucket.keys.getlist(key, [])))
            after = version_id_marker if key == key_marker else None
            for version in _following(stored, after):
                listed = copy.copy(version)
                listed.is_latest = version is stored[0]
                yield listed

        found = listing.page(
            list(bucket.keys),
            versions,
            prefix=prefix or "",
            delimiter=delimiter or "",
            marker=key_marker or "",
            limit=listing.MAX_ITEMS if max_keys is None else max_keys,
            also_marker=bool(version_id_marker),
        )
        last = found.last_item.version_id if found.last_item is not None else None
        return (
            [item for item in found.items if isinstance(item, FakeKey)],
            found.prefixes,
            [item for item in found.items if isinstance(item, FakeDeleteMarker)],
            found.last if found.truncated else None,
            last if found.truncated else None,
        )

    def page_of_uploads(
        self,
        bucket_name: str,
        *,
        prefix: str,
        delimiter: str,
        key_marker: str,
        upload_id_marker: str,
        limit: int,
    ) -> Page[Upload]:
        """Return unfinished multipart uploads, by key and upload ID."""
        uploads: dict[str, list[Upload]] = {}
        for upload in list(self.get_bucket(bucket_name).multiparts.values()):
            uploads.setdefault(upload.key_name, []).append(upload)

        def following(key: str) -> Iterator[Upload]:
            for upload in sorted(uploads[key], key=lambda upload: str(upload.id)):
                if key != key_marker or upload.id > upload_id_marker:
                    yield upload

        return listing.page(
            uploads,
            following,
            prefix=prefix,
            delimiter=delimiter,
            marker=key_marker,
            limit=limit,
            also_marker=bool(upload_id_marker),
        )

    def delete_object(
        self, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> tuple[bool, dict[str, Any]]:
        """Delete an object or a version. moto's takes a time that grows with the square of the number of versions."""
        bucket = self.get_bucket(bucket_name)
        versions = bucket.keys.getlist(key_name, [])
        deleted = next((v for v in reversed(versions) if str(v.version_id) == version_id), None)
        if deleted is None or not bucket.is_versioned:
            return super().delete_object(bucket_name, key_name, version_id, bypass)
        if isinstance(deleted, FakeKey) and deleted.is_locked(governance_bypass=bypass):
            raise AccessDeniedByLock
        if kept := [version for version in versions if version is not deleted]:
            dict.__setitem__(bucket.keys, key_name, kept)
        else:
            dict.pop(bucket.keys, key_name)
        deleted.dispose()
        if not kept:
            event = notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT
            notifications.send_event(self.account_id, event, bucket, deleted)
        meta = {"version-id": version_id}
        return True, meta if isinstance(deleted, FakeKey) else {**meta, "delete-marker": "true"}

    def _objects(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        marker: str | None,
        limit: int | None,
    ) -> Page[FakeKey]:
        if isinstance(bucket, FakeTableStorageBucket):
            raise MethodNotAllowed()

        def current(key: str) -> Iterator[FakeKey]:
            if isinstance(found := bucket.keys.get(key), FakeKey):
                yield found

        # A common prefix needs an object: delete markers have none.
        keys = [key for key, found in bucket.keys.items() if isinstance(found, FakeKey)]
        return listing.page(
            keys,
            current,
            prefix=prefix or "",
            delimiter=delimiter or "",
            marker=marker or "",
            limit=listing.MAX_ITEMS if limit is None else limit,
        )


def _following(
    versions: list[FakeKey | FakeDeleteMarker], version_id: str | None
) -> list[FakeKey | FakeDeleteMarker]:
    """Return the versions after one of them. versions: the newest first. version_id: it may have been deleted."""
    if version_id is None:
        return versions
    for number, version in enumerate(versions):
        if version.version_id == version_id:
            return versions[number + 1 :]
    # The position of a version "null" is unknown. None is left out.
    return [
        v for v in versions if v.version_id == "null" or version_id == "null" or v.version_id < version_id
    ]


def _token(key: str) -> str:
    """Return a continuation token: it names the last key, and so outlives a restart and the key."""
    return urlsafe_b64encode(key.encode()).decode()


def _marker(token: str) -> str:
    try:
        return b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise InvalidContinuationToken() from None
