"""What a data set consists of: every picture with its hash, counted by split and class, under one total hash."""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ml.jobs.data.layout import SPLITS, scan
from ml.jobs.data.parallel import Progress, each, quiet
from ops.errors import OperatorError


@dataclass(frozen=True)
class Picture:
    """sha256: of the file's bytes, hex. size: bytes. etag: what S3 called the stored object, empty before upload."""

    sha256: str
    size: int
    etag: str = ""


@dataclass(frozen=True)
class Manifest:
    """A data set. files: `<split>/<class>/<file>` to picture. sources: the same keys to local files, where known."""

    dataset: str
    files: dict[str, Picture]
    sources: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)

    @property
    def hash(self) -> str:
        """sha256 over keys and contents, hex: two data sets are the same exactly when it is."""
        lines = (f"{key}\0{picture.sha256}\n" for key, picture in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def classes(self) -> list[str]:
        """Sorted, as ImageFolder orders them: the position is the class index."""
        return sorted({key.split("/")[1] for key in self.files})

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Split to class to pictures."""
        counts = {split: dict.fromkeys(self.classes, 0) for split in SPLITS}
        for key in self.files:
            split, name, _ = key.split("/")
            counts[split][name] += 1
        return counts

    def stored(self, etags: dict[str, str]) -> "Manifest":
        """The same with the ETags that S3 gave."""
        files = {key: replace(picture, etag=etags[key]) for key, picture in self.files.items()}
        return replace(self, files=files)

    def to_json(self) -> str:
        """The text of manifest.json."""
        document = {
            "dataset": self.dataset,
            "hash": self.hash,
            "classes": self.classes,
            "counts": self.counts,
            "files": {key: asdict(picture) for key, picture in sorted(self.files.items())},
        }
        return json.dumps(document, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """Read it back. Raises ValueError when the text is no manifest or its hash is not that of its files."""
        try:
            document = json.loads(text)
            files = {key: Picture(**picture) for key, picture in document["files"].items()}
            manifest = cls(document["dataset"], files)
            intact = document["hash"] == manifest.hash
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no data manifest: {error!r}") from error
        if not intact:
            raise ValueError("the manifest's hash is not that of its files")
        return manifest


def manifest(
    root: Path, skip: Collection[str] = frozenset(), name: str | None = None, progress: Progress = quiet
) -> Manifest:
    """Hash the pictures of a folder, without those of skip (see Report.accept). name: of the data set in S3."""
    layout = scan(root)
    sources = {key: path for key, path in sorted(layout.files.items()) if key not in skip}
    if not sources:
        raise OperatorError(f"No picture is left in {layout.root}: there is nothing to upload.")
    pictures = each(_hash, list(sources.values()), "hashing", progress)
    return Manifest(
        name or dataset_name(layout.root), dict(zip(sources, pictures, strict=True)), sources=sources
    )


def dataset_name(folder: Path) -> str:
    """A folder's name as a part of an S3 key: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "dataset"


def _hash(path: Path) -> Picture:
    content = path.read_bytes()
    return Picture(hashlib.sha256(content).hexdigest(), len(content))
