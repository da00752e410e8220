"""The pixels of all images of a data set, in few bytes each: which are equal, and which look the same."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ml.jobs.data import near_duplicates
from ml.jobs.data.checked import Pixels
from ml.jobs.data.splits import SPLITS

PIXEL_BYTES = 16  # of a digest; two different images have the same one with a probability of 2**-128


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two images of different splits that look the same.

    first, second: keys; the split of the first one comes before that of the second one in SPLITS.
    distance: different bits of their perceptual hashes.
    """

    first: str
    second: str
    distance: int


class Seen:
    """The images that were checked, in the order in which they were added."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._digests = bytearray()
        self._hashes = array("Q")
        self._hashed = array("Q")  # positions of the images that have a perceptual hash

    def add(self, key: str, pixels: Pixels) -> None:
        """Add an image."""
        if pixels.perceptual is not None:
            self._hashed.append(len(self._keys))
            self._hashes.append(pixels.perceptual)
        self._keys.append(key)
        self._digests += pixels.digest

    def repeated(self) -> list[list[str]]:
        """Return the keys of each group of two or more images with equal pixels."""
        halves = np.frombuffer(self._digests, np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        changes = np.flatnonzero((halves[order][1:] != halves[order][:-1]).any(axis=1)) + 1
        starts = np.concatenate([[0], changes, [len(order)]])
        groups = np.flatnonzero(np.diff(starts) > 1)
        return [[self._keys[i] for i in order[starts[g] : starts[g + 1]]] for g in groups]

    def near_duplicates(self, without: Collection[str] = frozenset()) -> list[NearDuplicate]:
        """Return images of different splits that look the same, the closest first. without: keys to leave out."""
        used = np.array([key not in without for key in (self._keys[i] for i in self._hashed)], bool)
        positions = np.array(self._hashed, np.int64)[used]
        splits = np.array([SPLITS.index(self._keys[i].partition("/")[0]) for i in positions], np.uint8)
        pairs = near_duplicates.find(np.array(self._hashes, np.uint64)[used], splits)
        keys = [self._keys[i] for i in positions] if pairs else []
        return [NearDuplicate(keys[pair.first], keys[pair.second], pair.distance) for pair in pairs]
