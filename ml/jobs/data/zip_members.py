"""The members of a zip. Names are read as the program meant them that wrote the zip."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator

from ml.jobs.data.members import Member

_UTF8 = 1 << 11  # flag: the name is UTF-8
_UNICODE_PATH = 0x7075  # extra field of Info-ZIP
_ENCRYPTED = 1


def members(opened: zipfile.ZipFile) -> Iterator[Member]:
    """Yield the members. Some programs for Windows write backslashes instead of slashes."""
    infos = opened.infolist()
    # The stored name: zipfile cuts it at a NUL.
    separator = "/" if any("/" in info.orig_filename for info in infos) else "\\"
    encoding = _encoding(infos)
    for info in infos:
        name = _name(info, encoding)
        unknown = "" if name is not None else "its name is in an unknown code page"
        path = (info.orig_filename if name is None else name).replace(separator, "/")
        yield Member(path, info.file_size, path.endswith("/"), info, unknown or _refusal(info))


def _refusal(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a special file"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is neither stored nor deflated"
    return ""


def _encoding(infos: list[zipfile.ZipInfo]) -> str | None:
    """Return the encoding of the names that have no flag for UTF-8; None if it is unknown.

    The standard says code page 437. macOS writes UTF-8 all the same, and some programs for Windows write code page 1252.
    One program wrote all names: an encoding is that of the zip if the letters of all of them make sense.
    """
    names = [raw for info in infos if (raw := _raw(info)) and not _unicode_path(info.extra, raw)]
    for encoding in ("utf-8", "cp437", "cp1252"):
        try:
            text = "".join(raw.decode(encoding) for raw in names)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or all(_is_latin(letter) for letter in text):
            return encoding
    return None


def _name(info: zipfile.ZipInfo, encoding: str | None) -> str | None:
    """Return a member's name; None if its encoding is not known. Info-ZIP adds the name in UTF-8."""
    raw = _raw(info)
    if not raw:
        return info.orig_filename
    return _unicode_path(info.extra, raw) or (raw.decode(encoding) if encoding else None)


def _raw(info: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a name; empty if zipfile has read it correctly."""
    if info.orig_filename.isascii() or info.flag_bits & _UTF8:
        return b""
    return info.orig_filename.encode("cp437")  # as zipfile has decoded it


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN ")


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """Return the name in Info-ZIP's extra field; empty if there is none for this name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        content, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(content) > 5 and content[1:5] == struct.pack("<L", zlib.crc32(raw)):
            return content[5:].decode("utf-8")
    return ""
