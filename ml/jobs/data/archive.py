"""Unpack an untrusted zip of images: nothing outside of the folder, nothing that fills the disk."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ml.jobs.data.parallel import Progress, quiet
from ops.errors import OperatorError

MAX_MEMBERS = 2_000_000
MAX_RATIO = 100  # images are already compressed: their ratio is about 1
_RATIO_COUNTS_FROM = 10 * 2**20  # bytes; a small blank bitmap may have a higher ratio
_KEEP_FREE = 256 * 2**20  # bytes of disk that stay free
_CHUNK = 2**20


def extract(archive: Path, folder: Path, progress: Progress = quiet) -> None:
    """Unpack an archive into a new folder. Raises OperatorError, before anything is written, if it is refused.

    Refused are members outside of the folder, links and other special files, encrypted members, unusual compression,
    duplicate names, more than MAX_MEMBERS, more than MAX_RATIO times the archive's size, and more than the disk has free.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(archive, opened, folder)
            for done, (member, place) in enumerate(members, start=1):
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                # zipfile stops at the declared size; a wrong size fails the checksum.
                with opened.open(member) as source, open(target, "xb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                progress("unpacking", done, len(members))
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"{archive} is not a valid zip ({error}): download it again, or unpack it and give the folder."
        ) from error


def member_path(name: str) -> PurePosixPath:
    """Return a member's path below the folder. Raises ValueError if the name leads elsewhere on any system."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError("it leads outside the folder")
    if "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
        raise ValueError("its name is a path on another system")
    return path


def _checked(
    archive: Path, opened: zipfile.ZipFile, folder: Path
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    infos = opened.infolist()
    if len(infos) > MAX_MEMBERS:
        raise OperatorError(
            f"{archive} is refused: {len(infos):,} members, over the limit of {MAX_MEMBERS:,}."
        )
    size = sum(info.file_size for info in infos)
    if size > max(_RATIO_COUNTS_FROM, MAX_RATIO * archive.stat().st_size):
        raise OperatorError(
            f"{archive} is refused as a decompression bomb: it would unpack to {size:,} bytes, more than {MAX_RATIO} "
            "times its size."
        )
    free = shutil.disk_usage(_existing(folder)).free - _KEEP_FREE
    if size > free:
        raise OperatorError(
            f"{archive} unpacks to {size:,} bytes and {folder.parent} has room for {max(free, 0):,}: free some space and "
            "run the command again."
        )
    members = []
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    for info in infos:
        try:
            # The stored name: zipfile cuts it at a NUL.
            path = member_path(info.orig_filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError("it is a link or a special file")
            if info.flag_bits & 1:
                raise ValueError("it is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is neither stored nor deflated")
            if path in files:
                raise ValueError("the archive contains it twice")
        except ValueError as error:
            raise OperatorError(
                f"{archive} is refused: member {info.orig_filename!r}: {error}. Unpack it yourself if you trust it, and "
                "give the folder."
            ) from error
        folders.update(path.parents)
        if info.is_dir():
            folders.add(path)
            continue
        files.add(path)
        if path.parts[0] != "__MACOSX":
            members.append((info, path))
    if both := files & folders:
        raise OperatorError(f"{archive} is refused: member '{min(both)}' is a file and a folder at once.")
    return members


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
