"""What checking found of each image, on this machine's disk: an image that was checked once is not decoded again.

Images are known by the SHA-256 of their content. Bad ones are not kept: they are decoded again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

import PIL
from PIL import features

from ml.container import images
from ml.jobs.data import near_duplicates

_COMMIT = 1000  # images
_PATIENCE = 60  # seconds, for another command that writes its images


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a valid image looks like.

    digest: first 16 bytes of the SHA-256 of its size and RGB pixels.
    perceptual: as of near_duplicates.perceptual_hash.
    """

    digest: bytes
    perceptual: int | None


class CheckedImages:
    """A database of checked images; safe to use from several threads."""

    def __init__(self, path: Path | None) -> None:
        """Open or create it. Without a path it is in memory. A damaged one, or one of another decoder, is replaced."""
        self._lock, self._added = threading.Lock(), 0
        try:
            self._open(path)
        except sqlite3.DatabaseError as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise
            path.unlink()
            self._open(path)

    def get(self, sha256: str) -> Pixels | None:
        """Return what is known of an image's content."""
        with self._lock:
            row = self._database.execute(
                "SELECT pixels, perceptual FROM images WHERE content = ?", (bytes.fromhex(sha256),)
            ).fetchone()
        return None if row is None else Pixels(row[0], None if row[1] is None else row[1] % 2**64)

    def add(self, sha256: str, pixels: Pixels) -> None:
        """Remember a valid image."""
        signed = None if pixels.perceptual is None else (pixels.perceptual + 2**63) % 2**64 - 2**63
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?)",
                (bytes.fromhex(sha256), pixels.digest, signed),
            )
            self._added += 1
            if self._added % _COMMIT == 0:
                self._database.commit()

    def close(self) -> None:
        """Write what was added."""
        self._database.commit()
        self._database.close()

    def _open(self, path: Path | None) -> None:
        self._database = sqlite3.connect(path or ":memory:", _PATIENCE, check_same_thread=False)
        execute = self._database.execute
        execute("PRAGMA synchronous = OFF")  # a lost cache is made again
        if execute("PRAGMA user_version").fetchone()[0] != (version := _version()):
            execute("DROP TABLE IF EXISTS images")
            execute(f"PRAGMA user_version = {version}")
        execute(
            "CREATE TABLE IF NOT EXISTS images (content BLOB PRIMARY KEY, pixels BLOB NOT NULL, perceptual INTEGER) "
            "WITHOUT ROWID"
        )
        self._database.commit()


def _version() -> int:
    """Return a number that changes with everything that decides pixels and hashes."""
    parts = [Path(module.__file__).read_bytes() for module in (images, near_duplicates) if module.__file__]
    parts += [PIL.__version__.encode(), str(features.version_feature("libjpeg_turbo")).encode()]
    return int.from_bytes(hashlib.sha256(b"\0".join(parts)).digest()[:4], "big") >> 1
