"""The manifest of a data set: every image with its hash, counts by split and class, and one total hash."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from ml.jobs.data import conversion
from ml.jobs.data.layout import scan
from ml.jobs.data.names import free_name
from ml.jobs.data.parallel import Progress, each, quiet
from ml.jobs.data.splits import SPLITS
from ops.documents import decode
from ops.errors import OperatorError

_NAME_LENGTH = 60  # characters; an S3 key has 1,024 bytes at most


@dataclass(frozen=True)
class ImageEntry:
    """An image.

    sha256: of the file that was read, hexadecimal. The object in S3 is that file, unless it was converted.
    size: bytes of that file.
    etag: of the object in S3; empty before the upload.
    converted: why the object is a PNG made from the file, such as `BMP`; empty if it is the file itself.
    """

    sha256: str
    size: int
    etag: str = ""
    converted: str = ""


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

    @property
    def converted(self) -> dict[str, list[str]]:
        """The keys of the images that are stored as PNG instead of the file, by reason."""
        found: dict[str, list[str]] = {}
        for key, image in sorted(self.files.items()):
            if image.converted:
                found.setdefault(image.converted, []).append(key)
        return found

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
            "converted": {reason: len(keys) for reason, keys in self.converted.items()},
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
    root: Path,
    skip: Collection[str] = frozenset(),
    name: str | None = None,
    progress: Progress = quiet,
    shares: tuple[float, ...] | None = None,
) -> Manifest:
    """Return the manifest of the images in a folder.

    skip: keys of the layout to leave out, as of Report.accept.
    name: of the data set in S3; by default the folder's.
    shares: as of layout.scan.
    """
    layout = scan(root, shares)
    sources = {key: path for key, path in sorted(layout.files.items()) if key not in skip}
    if not sources:
        raise OperatorError(f"No image is left in {layout.root}: there is nothing to upload.")
    images = dict(zip(sources, each(_entry, list(sources.values()), "hashing", progress), strict=True))
    stored = _stored_keys(images)
    return Manifest(
        name or dataset_name(layout.root),
        {stored[key]: image for key, image in images.items()},
        sources={stored[key]: path for key, path in sources.items()},
    )


def dataset_name(folder: Path) -> str:
    """Return the folder's name as part of an S3 key: lower-case letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower())[:_NAME_LENGTH]
    return name.strip("-") or "dataset"


def _entry(path: Path) -> ImageEntry:
    content = path.read_bytes()
    return ImageEntry(hashlib.sha256(content).hexdigest(), len(content), converted=conversion.reason(content))


def _stored_keys(images: Mapping[str, ImageEntry]) -> dict[str, str]:
    """Return the key in S3 of each key of the layout: that of a converted image gets the suffix .png."""
    taken = {key.casefold() for key, image in images.items() if not image.converted}
    return {key: free_name(f"{key}.png", taken) if image.converted else key for key, image in images.items()}
