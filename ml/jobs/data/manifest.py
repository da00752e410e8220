"""The manifest of a data set: every image with its hash, counts by split and class, and one total hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from ml.jobs.data.entries import ImageEntry, entry
from ml.jobs.data.layout import scan
from ml.jobs.data.names import free_name
from ml.jobs.data.parallel import Progress, each, quiet
from ml.jobs.data.splits import SPLITS
from ml.jobs.data.validate import Report
from ops.documents import decode
from ops.errors import OperatorError

_NAME_LENGTH = 60  # characters; an S3 key has 1,024 bytes at most


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar of images in S3.

    split: its images' split.
    name: file name below the split's prefix.
    digest: what decides its bytes: the images and their contents.
    count: number of images.
    size: bytes.
    sha256: of the bytes, hexadecimal.
    etag: of the object.
    """

    split: str
    name: str
    digest: str
    count: int
    size: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class Sharded:
    """The images of a data set in shards. hash, counts: as of Manifest."""

    hash: str
    counts: dict[str, dict[str, int]]
    shards: list[Shard]


@dataclass(frozen=True)
class Manifest:
    """A data set.

    files: the image of each key `<split>/<class>/<file>`. Of a set in shards that was read from S3, only the examples.
    sources: the local file of each key, if known.
    shards: the shards of all images, if these are no objects of their own.
    """

    dataset: str
    files: dict[str, ImageEntry]
    sources: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    shards: Sharded | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of keys and contents, hexadecimal: equal hashes, equal data sets."""
        if self.shards:
            return self.shards.hash
        digest = hashlib.sha256()
        for key in sorted(self.files):
            digest.update(f"{key}\0{self.files[key].sha256}\n".encode())
        return digest.hexdigest()

    @property
    def classes(self) -> list[str]:
        """The class names in the order of ImageFolder: the position is the class index."""
        if self.shards:
            return sorted(self.shards.counts[SPLITS[0]])
        return sorted({key.split("/")[1] for key in self.files})

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The number of images of each class of each split."""
        if self.shards:
            return self.shards.counts
        counts = {split: dict.fromkeys(self.classes, 0) for split in SPLITS}
        for key in self.files:
            split, name, _ = key.split("/")
            counts[split][name] += 1
        return counts

    @property
    def converted(self) -> dict[str, list[str]]:
        """The keys of the images that are stored as PNG instead of the file, by reason."""
        found: dict[str, list[str]] = {}
        for key, image in sorted(self.files.items()):
            if image.converted:
                found.setdefault(image.converted, []).append(key)
        return found

    def folder(self, split: str) -> str:
        """Return the prefix in the bucket below which a training job finds a split: images or shards."""
        return f"datasets/{self.dataset}/{'shards/' if self.shards else ''}{split}/"

    def stored(self, etags: Mapping[str, str]) -> Manifest:
        """Return the manifest with the ETags of the objects in S3."""
        files = {key: replace(image, etag=etags[key]) for key, image in self.files.items()}
        return replace(self, files=files)

    def in_shards(self, shards: list[Shard], examples: Mapping[str, str]) -> Manifest:
        """Return the manifest of a set in shards. examples: the ETags of the images that are objects too, by key."""
        files = {key: replace(self.files[key], etag=etag) for key, etag in examples.items()}
        return replace(self, files=files, shards=Sharded(self.hash, self.counts, shards))

    def to_json(self) -> str:
        """Return the content of manifest.json."""
        document = {
            "dataset": self.dataset,
            "hash": self.hash,
            "classes": self.classes,
            "counts": self.counts,
            "converted": {reason: len(keys) for reason, keys in self.converted.items()},
            "shards": asdict(self.shards)["shards"] if self.shards else None,
            "files": {key: _row(self.files[key]) for key in sorted(self.files)},
        }
        return json.dumps(document, ensure_ascii=False)

    @classmethod
    def from_json(
        cls, text: str | bytes, *, what: str = "The manifest", remedy: str = "run ./inv data"
    ) -> Manifest:
        """Read a manifest. what, remedy: as of `documents.decode`, whose error it raises, also for a wrong hash."""
        found = decode(_Document, text, what=what, remedy=remedy)
        return found.manifest()


class _Document(BaseModel):
    """The content of manifest.json."""

    dataset: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,200}$")]
    hash: str
    counts: dict[str, dict[str, Annotated[int, Field(ge=0)]]] = {}
    shards: list[Shard] | None = None
    files: dict[Annotated[str, Field(pattern=rf"^({'|'.join(SPLITS)})/[^/]+/[^/]+$")], ImageEntry]

    @model_validator(mode="after")
    def _is_intact(self) -> _Document:
        if self.shards is None:
            if self.hash != self.manifest().hash:
                raise ValueError("its hash does not match its files")
        elif set(self.counts) != set(SPLITS) or self._counted() != self._in_shards():
            raise ValueError("its counts do not match its shards")
        return self

    def manifest(self) -> Manifest:
        shards = None if self.shards is None else Sharded(self.hash, self.counts, self.shards)
        return Manifest(self.dataset, self.files, shards=shards)

    def _counted(self) -> Counter[str]:
        return Counter({split: sum(by_class.values()) for split, by_class in self.counts.items()})

    def _in_shards(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for shard in self.shards or []:
            found[shard.split] += shard.count
        return found


def manifest(
    root: Path,
    skip: Collection[str] = frozenset(),
    name: str | None = None,
    progress: Progress = quiet,
    shares: tuple[float, ...] | None = None,
    report: Report | None = None,
) -> Manifest:
    """Return the manifest of the images in a folder.

    skip: keys of the layout to leave out, as of Report.accept.
    name: of the data set in S3; by default the folder's.
    shares: as of layout.scan.
    report: of the folder's images, so that they are not read again.
    """
    layout = report.layout if report else scan(root, shares)
    keys = sorted(key for key in layout.files if key not in skip)
    if not keys:
        raise OperatorError(f"No image is left in {layout.root}: there is nothing to upload.")
    known = report.entries if report else {}
    unknown = [key for key in keys if key not in known]
    read = each(lambda key: entry(Path(layout.files[key]).read_bytes()), unknown, "hashing", progress)
    images = {**known, **dict(zip(unknown, read, strict=True))}
    images = {key: images[key] for key in keys}
    stored = _stored_keys(images)
    return Manifest(
        name or dataset_name(layout.root),
        {stored.get(key, key): image for key, image in images.items()},
        sources={stored.get(key, key): layout.files[key] for key in keys},
    )


def dataset_name(folder: Path) -> str:
    """Return the folder's name as part of an S3 key: lower-case letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower())[:_NAME_LENGTH]
    return name.strip("-") or "dataset"


def _row(image: ImageEntry) -> dict[str, str | int]:
    return {name: getattr(image, name) for name in ImageEntry.__slots__}


def _stored_keys(images: Mapping[str, ImageEntry]) -> dict[str, str]:
    """Return the key in S3 of each converted image: it gets the suffix .png."""
    converted = [key for key, image in images.items() if image.converted]
    taken = {key.casefold() for key, image in images.items() if not image.converted} if converted else set()
    return {key: free_name(f"{key}.png", taken) for key in converted}
