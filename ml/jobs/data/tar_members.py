"""The members of a tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO

from ml.jobs.data.members import Member


def members(opened: tarfile.TarFile) -> Iterator[Member]:
    """Yield the members, as they are read: a bomb is refused before it is decompressed as a whole."""
    for info in opened:
        yield Member(info.name, info.size if info.isreg() else 0, info.isdir(), info, _refusal(info))


def content(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    """Return the content of a file in the archive."""
    file = opened.extractfile(info)
    assert file is not None  # it is a regular file
    return file


def _refusal(info: tarfile.TarInfo) -> str:
    if info.issparse() or not (info.isreg() or info.isdir()):
        return "it is a link or a special file"
    try:
        tarfile.data_filter(info, ".")
    except tarfile.FilterError as error:
        return str(error)
    return ""
