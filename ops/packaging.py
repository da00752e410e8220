"""Archives that are the same bytes on every machine, so that an unchanged program is never deployed again.

Nothing is compressed: deflate's output differs between zlib versions, and these programs are a few tens of kilobytes;
wheels are compressed already. Names are sorted, times are 1980 or 0, owners 0, modes rw-r--r--, or rwxr-xr-x for what
is a command of the repository.
"""

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
from typing import IO

from ops.errors import OperatorError

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip knows no earlier time
_MODE = 0o644
_COMMAND = 0o755
_LONGEST_BLOCK = 65535  # bytes; deflate's limit for a stored block
_NOT_PROGRAM = {"__pycache__", "node_modules"}


def lambda_zip(folder: Path, destination: Path) -> str:
    """Write folder's files to a zip for Lambda, and return the SHA-256 of the zip, hex.

    destination is left untouched when it has these bytes already. Raises OperatorError for a folder without files,
    or with links.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, path in _files(folder):
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.create_system = 3  # Unix, wherever this runs: says how to read the mode
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
    """Folder's files as a tar.gz for a training job (`sagemaker_submit_directory`), and its SHA-256, hex.

    prefix: of their names in it. Raises OperatorError for a folder without files, or with links.
    """
    buffer = io.BytesIO()
    _tar_gz([(prefix + name, path, _MODE) for name, path in _files(folder)], buffer)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def repository_bundle(root: Path, wheels: Path | None, destination: Path) -> str:
    """Write a repository to a tar.gz, with the files of `wheels` in its folder wheels. Returns its SHA-256, hex.

    What git tracks, as it lies there; without a folder .git, all but hidden files, caches and compiled Python. Raises
    OperatorError for a repository with links, or with a .git that git does not read.
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
    """Name and file of all that git tracks below `root` and that is there, by name; None where there is no git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--", "."]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        if not (root / ".git").exists():
            return None
        why = " ".join((getattr(error, "stderr", None) or str(error)).split())
        raise OperatorError(  # what git leaves out, such as keys and states, must not go
            f"git does not tell what belongs to {root} ({why[:400]}): mend that, then run the same command again."
        ) from error
    names = sorted(name for name in told.split("\0") if name)
    return [(name, _no_link(root / name)) for name in names if (root / name).is_file()]


def _no_link(path: Path) -> Path:
    if path.is_symlink():
        raise OperatorError(
            f"{path} is a link, which an archive cannot carry to another machine: put the file there."
        )
    return path


def _tar_gz(files: Iterable[tuple[str, Path, int]], out: IO[bytes], form: int = tarfile.USTAR_FORMAT) -> None:
    """Write files, given as name in the archive, path and mode."""
    packed = _StoredGzip(out)
    with tarfile.open(fileobj=packed, mode="w|", format=form) as archive:
        for name, path, mode in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = path.stat().st_size, mode
            with path.open("rb") as content:
                archive.addfile(info, content)
    packed.finish()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name in the archive and file, sorted by name; no hidden files, caches or compiled Python."""
    found = {}
    for path in Path(folder).rglob("*"):
        parts = path.relative_to(folder).parts
        if any(p.startswith(".") or p in _NOT_PROGRAM for p in parts) or path.suffix in (".pyc", ".pyo"):
            continue
        if _no_link(path).is_file():
            found["/".join(parts)] = path
    if not found:
        raise OperatorError(f"{folder} has no files to package.")
    yield from sorted(found.items())


class _StoredGzip(io.RawIOBase):
    """A file that becomes a gzip member of stored blocks (RFC 1951, 1952): Python's own header differs by version."""

    def __init__(self, out: IO[bytes]):
        super().__init__()
        self._out, self._waiting, self._crc, self._size = out, bytearray(), 0, 0
        out.write(b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff")  # deflate, no flags, time 0, unknown system

    def write(self, content) -> int:
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        self._waiting += content
        while len(self._waiting) > _LONGEST_BLOCK:  # what remains may be the last block, which says so
            self._block(self._waiting[:_LONGEST_BLOCK], last=False)
            del self._waiting[:_LONGEST_BLOCK]
        return len(content)

    def finish(self) -> None:
        self._block(self._waiting, last=True)
        self._out.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))

    def _block(self, block: bytearray, last: bool) -> None:
        self._out.write(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
