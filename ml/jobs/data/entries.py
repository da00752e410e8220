"""What is known of one image of a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ml.jobs.data import conversion


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """An image.

    sha256: of the file that was read, hexadecimal. The object in S3 is that file, unless it was converted.
    size: bytes of that file.
    etag: of the object in S3; empty before the upload, and for an image in a shard.
    converted: why the object is a PNG made from the file, such as `BMP`; empty if it is the file itself.
    """

    sha256: str
    size: int
    etag: str = ""
    converted: str = ""

    @property
    def digest(self) -> str:
        """What decides the stored bytes: equal digests, equal objects."""
        return f"{self.sha256} {self.converted}" if self.converted else self.sha256


def entry(content: bytes) -> ImageEntry:
    """Return the entry of a file's content."""
    return ImageEntry(hashlib.sha256(content).hexdigest(), len(content), converted=conversion.reason(content))
