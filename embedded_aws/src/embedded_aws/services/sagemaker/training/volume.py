"""The storage volumes of a job's instances, limited by VolumeSizeInGB."""

from __future__ import annotations

import os
from pathlib import Path

GIGABYTE = 1024**3


class Volumes:
    """Checks the instances' folders against the size of their volumes."""

    def __init__(self, folders: list[Path], size_gb: int | None) -> None:
        """Measure the input once: programs do not add to it.

        folders: one per instance.
        size_gb: 0 or None means no limit.
        """
        self.size_gb = size_gb
        self._limit = (size_gb or 0) * GIGABYTE
        self._inputs = {folder: used(folder / "input") for folder in folders} if self._limit else {}

    def full(self) -> int | None:
        """Return the number, from 1, of the first instance whose volume is full, or None."""
        for number, (folder, inputs) in enumerate(self._inputs.items(), 1):
            if inputs + used(folder, without="input") > self._limit:
                return number
        return None


def used(folder: Path, without: str | None = None) -> int:
    """Return the bytes on disk of the files below `folder`. Files may change meanwhile.

    without: an entry of `folder` to leave out.
    """
    total, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name == without and entry.path == str(folder / entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            continue
    return total
