"""Blob store: bytes of S3 objects."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from embedded_aws.state.blobs import BlobStore


def test_equal_bytes_are_stored_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.put(b"picture")
    assert store.put(b"picture") == digest == hashlib.sha256(b"picture").hexdigest()
    assert store.get(digest) == b"picture"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [digest]


def test_sweep_removes_files_that_are_old_and_unused(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    used, unused, renewed = (store.put(value) for value in (b"a", b"b", b"c"))
    for digest in (used, unused, renewed):
        os.utime(tmp_path / digest[:2] / digest, (1, 1))
    store.put(b"c")  # in use again, e.g. by an upload that is not in the snapshot yet
    assert store.sweep({used}, time.time() - 60) == 1
    assert store.get(used) == b"a" and store.get(renewed) == b"c"
    assert not (tmp_path / unused[:2] / unused).exists()
