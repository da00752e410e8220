"""The objects that a data set should have in S3: its images, or its shards and a few examples."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from ml.jobs.data import conversion, shards
from ml.jobs.data.entries import ImageEntry
from ml.jobs.data.manifest import Manifest, Shard
from ml.jobs.data.shards import Plan
from ml.jobs.data.splits import SPLITS
from ml.jobs.data.store import Store, Stored
from ops.errors import OperatorError

EXAMPLES = 1000  # images of each split of a set in shards that are objects too, for `predict` and the report
_MAX_SHARD_WORKERS = 4  # a shard is in memory until it is sent


class Contents(Protocol):
    """Objects by key below the data set's prefix."""

    workers: int
    """How many may be sent at once."""

    def objects(self) -> Iterable[str]:
        """Return the keys of the objects."""

    def digest(self, key: str) -> str:
        """Return what decides the bytes of an object."""

    def body(self, key: str) -> bytes:
        """Return the bytes of an object. Raises OperatorError if a file changed since the manifest was made."""

    def complete(self, store: Store, stored: Mapping[str, Stored], changed: bool) -> Manifest:
        """Write what describes the objects, and return the manifest with what is stored."""

    def descriptions(self) -> list[str]:
        """Return the keys that `complete` writes."""


class SingleImages:
    """Every image is an object."""

    workers = 32

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        # A decoded image may take 200 MB.
        self._converting = threading.BoundedSemaphore(os.cpu_count() or 1)

    def objects(self) -> Iterable[str]:
        """Return the keys of the images."""
        return self._manifest.files

    def digest(self, key: str) -> str:
        """Return what decides the bytes of an image."""
        return self._manifest.files[key].digest

    def body(self, key: str) -> bytes:
        """Return an image as it is stored."""
        content = _read(self._manifest.sources[key], self._manifest.files[key])
        if not self._manifest.files[key].converted:
            return content
        with self._converting:
            return conversion.to_png(content)

    def complete(self, store: Store, stored: Mapping[str, Stored], changed: bool) -> Manifest:
        """Return the manifest with the ETags."""
        return self._manifest.stored({key: one.etag for key, one in stored.items()})

    def descriptions(self) -> list[str]:
        """Return none: the manifest describes the images."""
        return []


class ShardedImages:
    """Images are in shards, and some are objects too."""

    workers = _MAX_SHARD_WORKERS

    def __init__(self, manifest: Manifest, max_bytes: int) -> None:
        self._manifest, self._singles = manifest, SingleImages(manifest)
        self._plans = shards.plan(manifest.files, max_bytes)
        self._by_key = {plan.key: plan for plan in self._plans}
        self._examples = examples(manifest.files)

    def objects(self) -> Iterable[str]:
        """Return the keys of the shards and examples."""
        return [*self._by_key, *self._examples]

    def digest(self, key: str) -> str:
        """Return what decides the bytes of a shard or an example."""
        return self._by_key[key].digest if key in self._by_key else self._singles.digest(key)

    def body(self, key: str) -> bytes:
        """Return a shard, or an example."""
        plan = self._by_key.get(key)
        return shards.tar(plan.keys, self._singles.body) if plan else self._singles.body(key)

    def complete(self, store: Store, stored: Mapping[str, Stored], changed: bool) -> Manifest:
        """Write the index and the names of each split, and return the manifest with the shards."""
        found = [_shard(plan, stored[plan.key]) for plan in self._plans]
        manifest = self._manifest.in_shards(found, {key: stored[key].etag for key in self._examples})
        for split in SPLITS if changed else ():
            counts = manifest.counts[split]
            document = shards.index(
                manifest.dataset, split, [shard for shard in found if shard.split == split], counts
            )
            names = shards.names(plan for plan in self._plans if plan.split == split)
            store.put(f"{shards.FOLDER}/{split}/{shards.NAMES}", names)
            store.put(f"{shards.FOLDER}/{split}/{shards.INDEX}", document)
        return manifest

    def descriptions(self) -> list[str]:
        """Return the keys of the index and the names of each split."""
        return [
            f"{shards.FOLDER}/{split}/{name}" for split in SPLITS for name in (shards.NAMES, shards.INDEX)
        ]


def examples(files: Mapping[str, ImageEntry]) -> list[str]:
    """Return the keys of at most EXAMPLES images of each split, or one of each class if that is more."""
    classes = len({key.split("/")[1] for key in files})
    most = -(-EXAMPLES // max(1, classes))
    taken: Counter[str] = Counter()
    chosen = []
    for key in sorted(files, key=shards.position):
        folder = key.rpartition("/")[0]
        taken[folder] += 1
        if taken[folder] <= most:
            chosen.append(key)
    return chosen


def _shard(plan: Plan, stored: Stored) -> Shard:
    return Shard(plan.split, plan.name, plan.digest, len(plan.keys), stored.size, stored.sha256, stored.etag)


def _read(path: str, image: ImageEntry) -> bytes:
    """Return the content of a file. Raises OperatorError if it is not that of the manifest any more."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise OperatorError(f"{path} could not be read ({error.strerror}): run again.") from error
    if hashlib.sha256(content).hexdigest() != image.sha256:
        raise OperatorError(f"{path} changed while it was being uploaded: run again.")
    return content
