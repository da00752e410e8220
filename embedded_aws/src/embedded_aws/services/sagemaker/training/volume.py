"""The storage volumes of a job's instances: how full they are against VolumeSizeInGB."""

from __future__ import annotations

import os
from pathlib import Path

GIGABYTE = 1024**3


class Volumes:
    """The instances' folders, each of which stands for a volume of `size_gb`; 0 or None sets no limit."""

    def __init__(self, folders: list[Path], size_gb: int | None) -> None:
        """What lies in the folders now is measured once: it is the input, which no program adds to."""
        self.size_gb = size_gb
        self._limit = (size_gb or 0) * GIGABYTE
        self._inputs = {folder: used(folder / "input") for folder in folders} if self._limit else {}

    def full(self) -> int | None:
        """The number of the first instance, from 1, that holds more than its volume; None if all have room."""
        for number, (folder, inputs) in enumerate(self._inputs.items(), 1):
            if inputs + used(folder, without="input") > self._limit:
                return number
        return None


def used(folder: Path, without: str | None = None) -> int:
    """Bytes that the files below `folder` take on the disk, `without` one entry of it. Files may come and go."""
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
