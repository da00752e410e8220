"""Reproducible archives: the same bytes on every machine, so that an unchanged program is not deployed again.

Nothing is compressed, as the output of deflate differs between zlib versions. The programs have a few tens of kilobytes,
and wheels are compressed already. Names are sorted, times are 1980 or 0, owners are 0, and modes are rw-r--r--, or
rwxr-xr-x for commands of the repository.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from ops import child_environment
from ops.errors import OperatorError

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that zip supports
_MODE = 0o644
_COMMAND = 0o755
_LONGEST_BLOCK = 65535  # bytes, deflate's limit for a stored block
_IGNORED = {"__pycache__", "node_modules"}


def lambda_zip(folder: Path, destination: Path) -> str:
    """Write the files of a folder to a zip for Lambda. Return the SHA-256 of the zip in hex.

    A destination that has these bytes already is not written.

    Raises:
        OperatorError: The folder has no files, or has links.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, path in _files(folder):
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.create_system = 3  # Unix on every machine: determines how the mode is read
            info.external_attr = (0o100000 | _MODE) << 16
            archive.writestr(info, path.read_bytes())
    content = buffer.getvalue()
    destination = Path(destination)
    if not destination.exists() or destination.read_bytes() != content:
        destination.parent.mkdir(parents=True, exist_ok=True)
        new = destination.with_name(f"{destination.name}.new")
        new.write_bytes(content)
        new.replace(destination)
    return hashlib.sha256(content).hexdigest()


def source_bundle(folder: Path, prefix: str = "") -> tuple[bytes, str]:
    """Return the files of a folder as a tar.gz for a training job, and its SHA-256 in hex.

    prefix: prefix of the names in the archive.

    Raises:
        OperatorError: The folder has no files, or has links.
    """
    buffer = io.BytesIO()
    _tar_gz([(prefix + name, path, _MODE) for name, path in _files(folder)], buffer)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def repository_bundle(root: Path, wheels: Path | None, destination: Path) -> str:
    """Write a repository to a tar.gz, with the files of `wheels` in folder wheels/. Return its SHA-256 in hex.

    It has the files that git tracks, as they are in the working tree. Without a folder .git, it has all files except
    hidden files, caches and compiled Python.

    Raises:
        OperatorError: The repository has links, or git cannot read it.
    """
    tracked = _tracked(root)
    files = [
        (name, path, _COMMAND if os.access(path, os.X_OK) else _MODE)
        for name, path in (_files(root) if tracked is None else tracked)
    ]
    if wheels is not None:
        files += [(f"wheels/{path.name}", path, _MODE) for path in sorted(wheels.iterdir())]
    destination.parent.mkdir(parents=True, exist_ok=True)
    new = destination.with_name(f"{destination.name}.new")
    with new.open("wb") as out:
        _tar_gz(files, out, tarfile.PAX_FORMAT)  # wheels have long names
    new.replace(destination)
    digest = hashlib.sha256()
    with destination.open("rb") as written:
        while block := written.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _tracked(root: Path) -> list[tuple[str, Path]] | None:
    """Return name and path of the files that git tracks, sorted by name; None without a folder .git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--", "."]
    try:
        environment = child_environment.build("program")
        listed = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        if not (root / ".git").exists():
            return None
        reason = " ".join((getattr(error, "stderr", None) or str(error)).split())
        # Without git's list the archive could contain ignored files, such as keys and state.
        raise OperatorError(
            f"git cannot list the files of {root} ({reason[:400]}): fix that, then run the same command again."
        ) from error
    names = sorted(name for name in listed.split("\0") if name)
    return [(name, _no_link(root / name)) for name in names if (root / name).is_file()]


def _no_link(path: Path) -> Path:
    """Return the path. Raise OperatorError if it is a link."""
    if path.is_symlink():
        raise OperatorError(
            f"{path} is a link, which does not work on another machine: replace it with the file."
        )
    return path


def _tar_gz(files: Iterable[tuple[str, Path, int]], out: IO[bytes], form: int = tarfile.USTAR_FORMAT) -> None:
    """Write a tar.gz of files, given as name in the archive, path and mode."""
    packed = _StoredGzip(out)
    with tarfile.open(fileobj=packed, mode="w|", format=form) as archive:
        for name, path, mode in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = path.stat().st_size, mode
            with path.open("rb") as content:
                archive.addfile(info, content)
    packed.finish()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name in the archive and path, sorted by name, without hidden files, caches and compiled Python."""
    found = {}
    for path in Path(folder).rglob("*"):
        parts = path.relative_to(folder).parts
        if any(p.startswith(".") or p in _IGNORED for p in parts) or path.suffix in (".pyc", ".pyo"):
            continue
        if _no_link(path).is_file():
            found["/".join(parts)] = path
    if not found:
        raise OperatorError(f"{folder} has no files to package.")
    yield from sorted(found.items())


class _StoredGzip(io.RawIOBase):
    """A writer of a gzip member with stored blocks (RFC 1951, 1952). Python's gzip header differs between versions."""

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out, self._waiting, self._crc, self._size = out, bytearray(), 0, 0
        out.write(b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff")  # deflate, no flags, time 0, unknown system

    def write(self, content: Any) -> int:
        """Add bytes."""
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        self._waiting += content
        while len(self._waiting) > _LONGEST_BLOCK:  # the rest may be the last block, which is marked
            self._block(self._waiting[:_LONGEST_BLOCK], last=False)
            del self._waiting[:_LONGEST_BLOCK]
        return len(content)

    def finish(self) -> None:
        """Write the last block and the trailer."""
        self._block(self._waiting, last=True)
        self._out.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))

    def _block(self, block: bytearray, last: bool) -> None:
        self._out.write(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
