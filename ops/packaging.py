"""Archives that are the same bytes on every machine, so that an unchanged program is never deployed again.

Nothing is compressed: deflate's output differs between zlib versions, and these programs are a few tens of kilobytes.
Names are sorted, times are 1980 or 0, owners 0, modes rw-r--r--.
"""

import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ops.errors import OperatorError

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip knows no earlier time
_MODE = 0o644
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


def source_bundle(folder: Path) -> tuple[bytes, str]:
    """Folder's files as a tar.gz for a training job (`sagemaker_submit_directory`), and its SHA-256, hex.

    Raises OperatorError for a folder without files, or with links.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in _files(folder):
            content = path.read_bytes()
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), _MODE
            archive.addfile(info, io.BytesIO(content))
    bundle = _gzip_stored(buffer.getvalue())
    return bundle, hashlib.sha256(bundle).hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name in the archive and file, sorted by name; no hidden files, caches or compiled Python."""
    found = {}
    for path in Path(folder).rglob("*"):
        parts = path.relative_to(folder).parts
        if any(p.startswith(".") or p in _NOT_PROGRAM for p in parts) or path.suffix in (".pyc", ".pyo"):
            continue
        if path.is_symlink():
            raise OperatorError(
                f"{path} is a link, which an archive cannot carry to another machine: put the file there."
            )
        if path.is_file():
            found["/".join(parts)] = path
    if not found:
        raise OperatorError(f"{folder} has no files to package.")
    yield from sorted(found.items())


def _gzip_stored(content: bytes) -> bytes:
    """A gzip member of stored blocks (RFC 1951, 1952), written here as Python's own header differs by version."""
    blocks = [content[start : start + _LONGEST_BLOCK] for start in range(0, len(content), _LONGEST_BLOCK)]
    parts = [b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"]  # deflate, no flags, time 0, unknown system
    for number, block in enumerate(blocks, start=1):
        parts.append(struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF) + block)
    parts.append(struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))
    return b"".join(parts)
