"""The manifest of a data set: every image with its hash, counts by split and class, and one total hash."""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from ml.jobs.data.layout import SPLITS, scan
from ml.jobs.data.parallel import Progress, each, quiet
from ops.documents import decode
from ops.errors import OperatorError


@dataclass(frozen=True)
class ImageEntry:
    """An image.

    sha256: of the file, hexadecimal.
    size: bytes.
    etag: of the object in S3; empty before the upload.
    """

    sha256: str
    size: int
    etag: str = ""


@dataclass(frozen=True)
class Manifest:
    """A data set.

    files: the image of each key `<split>/<class>/<file>`.
    sources: the local file of each key, if known.
    """

    dataset: str
    files: dict[str, ImageEntry]
    sources: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)

    @property
    def hash(self) -> str:
        """SHA-256 of keys and contents, hexadecimal: equal hashes, equal data sets."""
        lines = (f"{key}\0{image.sha256}\n" for key, image in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def classes(self) -> list[str]:
        """The class names in the order of ImageFolder: the position is the class index."""
        return sorted({key.split("/")[1] for key in self.files})

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The number of images of each class of each split."""
        counts = {split: dict.fromkeys(self.classes, 0) for split in SPLITS}
        for key in self.files:
            split, name, _ = key.split("/")
            counts[split][name] += 1
        return counts

    def stored(self, etags: dict[str, str]) -> "Manifest":
        """Return the manifest with the ETags of the objects in S3."""
        files = {key: replace(image, etag=etags[key]) for key, image in self.files.items()}
        return replace(self, files=files)

    def to_json(self) -> str:
        """Return the content of manifest.json."""
        document = {
            "dataset": self.dataset,
            "hash": self.hash,
            "classes": self.classes,
            "counts": self.counts,
            "files": {key: asdict(image) for key, image in sorted(self.files.items())},
        }
        return json.dumps(document, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(
        cls, text: str | bytes, *, what: str = "The manifest", remedy: str = "run ./inv data"
    ) -> "Manifest":
        """Read a manifest. what, remedy: as of `documents.decode`, whose error it raises, also for a wrong hash."""
        found = decode(_Document, text, what=what, remedy=remedy)
        return found.manifest()


class _Document(BaseModel):
    """The content of manifest.json."""

    dataset: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,200}$")]
    hash: str
    files: dict[Annotated[str, Field(pattern=rf"^({'|'.join(SPLITS)})/[^/]+/[^/]+$")], ImageEntry]

    @model_validator(mode="after")
    def _is_intact(self) -> "_Document":
        if self.hash != self.manifest().hash:
            raise ValueError("its hash does not match its files")
        return self

    def manifest(self) -> Manifest:
        return Manifest(self.dataset, self.files)


def manifest(
    root: Path, skip: Collection[str] = frozenset(), name: str | None = None, progress: Progress = quiet
) -> Manifest:
    """Return the manifest of the images in a folder.

    skip: keys to leave out, as of Report.accept.
    name: of the data set in S3; by default the folder's.
    """
    layout = scan(root)
    sources = {key: path for key, path in sorted(layout.files.items()) if key not in skip}
    if not sources:
        raise OperatorError(f"No image is left in {layout.root}: there is nothing to upload.")
    images = each(_hash, list(sources.values()), "hashing", progress)
    return Manifest(
        name or dataset_name(layout.root), dict(zip(sources, images, strict=True)), sources=sources
    )


def dataset_name(folder: Path) -> str:
    """Return the folder's name as part of an S3 key: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "dataset"


def _hash(path: Path) -> ImageEntry:
    content = path.read_bytes()
    return ImageEntry(hashlib.sha256(content).hexdigest(), len(content))
