"""A member of an archive, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    name: its path, as the maker of the archive meant it, with slashes.
    size: bytes of its content.
    handle: what the archive's library needs to read it.
    refusal: why it is not unpacked; empty if it may be.
    """

    name: str
    size: int
    is_folder: bool
    handle: Any
    refusal: str = ""
