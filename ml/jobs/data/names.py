"""The names of images and classes in S3: the same for one data set, whatever system its files come from."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_JOINT = "__"


def normalized(name: str) -> str:
    """Return a name without blanks around it and with composed letters: macOS stores `é` as `e` and an accent."""
    return unicodedata.normalize("NFC", name).strip() or name


def image_names(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the file of each name, unique in any case of letters, as some systems see `a.JPG` and `a.jpg` as one.

    files: the images of one class: path below its folder, with slashes, and file. Folders become part of the name.
    """
    named: dict[str, str] = {}
    taken: set[str] = set()
    for relative, path in sorted(files):
        name = free_name(_JOINT.join(normalized(part) for part in relative.split("/")), taken)
        named[name] = path
    return named


def free_name(name: str, taken: set[str]) -> str:
    """Return a name, with a number if it is taken, and add it to `taken`, a set of case-folded names."""
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        path = PurePosixPath(name)
        candidate = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
    taken.add(candidate.casefold())
    return candidate
