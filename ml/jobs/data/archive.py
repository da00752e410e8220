"""Unpack an untrusted archive of images: nothing outside of the folder, nothing that fills the disk."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ml.jobs.data import tar_members, zip_members
from ml.jobs.data.members import Member
from ml.jobs.data.parallel import Progress, quiet
from ops.errors import OperatorError

MAX_MEMBERS = 2_000_000
MAX_RATIO = 100  # images are already compressed: their ratio is about 1
_RATIO_COUNTS_FROM = 10 * 2**20  # bytes; a small blank bitmap may have a higher ratio
_KEEP_FREE = 256 * 2**20  # bytes of disk that stay free
_CHUNK = 2**20
_INVALID = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    UnicodeDecodeError,
)
_OTHER = {
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\x1f\x8b": "a compressed file and no archive",
    b"BZh": "a compressed file and no archive",
    b"\xfd7zXZ": "a compressed file and no archive",
}


def extract(archive: Path, folder: Path, progress: Progress = quiet) -> None:
    """Unpack a zip or a tar (also gzip, bzip2, xz) into a new folder.

    Raises OperatorError, before anything is written, if it is refused: for members outside of the folder, links and other
    special files, encrypted members, unusual compression, names of an unknown code page, duplicate names, more than
    MAX_MEMBERS, more than MAX_RATIO times the archive's size, and more than the disk has free.
    """
    with _valid(archive), _opened(archive) as (members, read):
        targets = _checked(archive, members, folder)
        for done, (member, path) in enumerate(targets, start=1):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with read(member.handle) as source, open(target, "xb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
                if sink.tell() != member.size:
                    raise EOFError(f"{member.name} is cut off")
            progress("unpacking", done, len(targets))


def member_path(name: str) -> PurePosixPath:
    """Return a member's path below the folder. Raises ValueError if the name leads elsewhere on any system."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError("it leads outside the folder")
    if "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
        raise ValueError("its name is a path on another system")
    return path


@contextlib.contextmanager
def _valid(archive: Path) -> Iterator[None]:
    """Turn errors of damaged archives into OperatorErrors."""
    try:
        yield
    except _INVALID as error:
        reason: Exception = error
    except OSError as error:
        if error.errno is not None:
            raise
        reason = error  # as bz2 reports damage
    else:
        return
    raise OperatorError(
        f"{archive} is not a valid archive ({reason}): download it again, or unpack it and give the folder."
    ) from reason


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tuple[Iterator[Member], Callable[[Any], IO[bytes]]]]:
    """Open an archive by its content. Yields its members, and a function that opens the content of one."""
    with archive.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK") or zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield zip_members.members(opened), opened.open
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive, encoding="utf-8", errors="surrogateescape") as opened:
            yield tar_members.members(opened), lambda info: tar_members.content(opened, info)
    else:
        what = next((name for start, name in _OTHER.items() if head.startswith(start)), "none of these")
        raise OperatorError(
            f"{archive} is refused: an archive is a zip, or a tar that is not compressed or with gzip, bzip2 or xz, and it is "
            f"{what}. Unpack it yourself and give the folder."
        )


def _checked(archive: Path, members: Iterator[Member], folder: Path) -> list[tuple[Member, PurePosixPath]]:
    """Return the files to write, with their paths. Raises OperatorError."""
    free = shutil.disk_usage(_existing(folder)).free - _KEEP_FREE
    largest = max(_RATIO_COUNTS_FROM, MAX_RATIO * archive.stat().st_size)
    size, number = 0, 0
    targets: list[tuple[Member, PurePosixPath]] = []
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    for member in members:
        number, size = number + 1, size + member.size
        if number > MAX_MEMBERS:
            raise OperatorError(f"{archive} is refused: more than {MAX_MEMBERS:,} members.")
        if size > largest:
            raise OperatorError(
                f"{archive} is refused as a decompression bomb: it would unpack to {size:,} bytes or more, over {MAX_RATIO} "
                "times its size."
            )
        if member.is_folder and PurePosixPath(member.name) == PurePosixPath():
            continue  # tar begins with ./
        try:
            path = member_path(member.name)
            if member.refusal:
                raise ValueError(member.refusal)
            if path in files and not member.is_folder:
                raise ValueError("the archive contains it twice")
        except ValueError as error:
            raise OperatorError(
                f"{archive} is refused: member {member.name!r}: {error}. Unpack it yourself if you trust it, and give the "
                "folder."
            ) from error
        folders.update(path.parents)
        if member.is_folder:
            folders.add(path)
            continue
        files.add(path)
        if path.parts[0] != "__MACOSX":
            targets.append((member, path))
    if both := files & folders:
        raise OperatorError(f"{archive} is refused: member '{min(both)}' is a file and a folder at once.")
    if size > free:
        raise OperatorError(
            f"{archive} unpacks to {size:,} bytes and {folder.parent} has room for {max(free, 0):,}: free some space and "
            "run the command again."
        )
    return targets


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
