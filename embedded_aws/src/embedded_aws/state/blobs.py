"""Bytes of S3 objects, in files named by their hash: neither memory nor snapshots hold them."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from moto.s3 import models
from moto.s3.models import FakeKey, s3_backends

INLINE = 1024  # bytes; smaller values stay in memory


class BlobStore:
    """Files `<folder>/<2 hex digits>/<sha256>`. A file is complete once it has its name."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()  # a sweep must not remove a file that a put relies on
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, value: bytes) -> str:
        """Store bytes and return their digest."""
        digest = hashlib.sha256(value).hexdigest()
        path = self._path(digest)
        with self._lock:
            try:
                os.utime(path)  # in use again: the next sweep must keep it
                return digest
            except FileNotFoundError:
                draft = path.with_name(f"{digest}.{threading.get_ident()}.tmp")
        draft.parent.mkdir(exist_ok=True)
        draft.write_bytes(value)
        draft.replace(path)
        return digest

    def get(self, digest: str) -> bytes:
        return self._path(digest).read_bytes()

    def sweep(self, used: set[str], before: float) -> int:
        """Remove files that are not in `used` and older than `before` (Unix seconds). Returns how many."""
        removed = 0
        for folder in self._folder.iterdir():
            for entry in os.scandir(folder):
                if entry.name in used:
                    continue
                with self._lock:
                    if os.stat(entry.path).st_mtime < before:
                        os.unlink(entry.path)
                        removed += 1
        return removed

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


_PRIVATE = models.get_canned_acl("private")  # replaced, never changed, by PutObjectAcl


class StoredKey(FakeKey):
    """moto's S3 object with its bytes in the blob store.

    digest: of the bytes; None for small values, which stay in memory.
    """

    digest: str | None = None
    _inline: bytes = b""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.acl = _PRIVATE  # shared: one ACL per object would be most of a snapshot

    @property
    def _store(self) -> BlobStore:
        backend = s3_backends[self.account_id][self.partition]
        store: BlobStore = backend.runtime.get(BlobStore)  # type: ignore[attr-defined]
        return store

    @property
    def value(self) -> bytes:
        return self._inline if self.digest is None else self._store.get(self.digest)

    @value.setter
    def value(self, new_value: bytes | str) -> None:
        data = new_value.encode() if isinstance(new_value, str) else bytes(new_value)
        self.__dict__.pop("_value_buffer", None)  # moto keeps the bytes here
        self.contentsize = len(data)
        if self._etag is None:
            self._etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if len(data) < INLINE:
            self.digest, self._inline = None, data
        else:
            self.digest, self._inline = self._store.put(data), b""

    @property
    def etag(self) -> str:
        return f'"{self._etag}"'

    def dispose(self, garbage: bool = False) -> None:
        """Mark as deleted. A sweep removes the bytes once nothing uses them."""
        if self.multipart and not garbage:
            self.multipart.dispose()
        self.disposed = True

    def __del__(self) -> None:
        """Do nothing: moto warns here about open buffers, and there are none."""

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k != "lock"}
        if self.acl is _PRIVATE:
            del state["acl"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.acl = _PRIVATE
        self.__dict__.update(state)
        self.lock = threading.Lock()
