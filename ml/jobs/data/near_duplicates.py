"""Images of different splits that look the same: the model would be evaluated on what it was trained on.

A perceptual hash (pHash of the imagehash library) has 64 bits, which a change of size, compression or brightness hardly
changes. Hashes that differ in at most MAX_DISTANCE bits are equal in at least two of six parts, so that each image is
compared only with the few that share two parts with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_DISTANCE = 4  # bits of 64
MIN_SIDE = 32  # pixels; the hash has no more detail than this, and smaller images look alike
_REDUCED = 64  # pixels; reducing by whole numbers first is faster than one resize
_FLAT = 8  # gray levels between the darkest and the brightest pixel: an empty picture
_PARTS = (11, 11, 11, 11, 10, 10)  # bits
_NEIGHBORS = (
    500  # hashes that share two parts and are compared with each, so that odd sets do not take forever
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of different splits, by position. distance: different bits of their hashes, 0 to MAX_DISTANCE."""

    first: int
    second: int
    distance: int


def perceptual_hash(image: Image.Image) -> int | None:
    """Return the pHash of a decoded image, 64 bits; None for one that is too small or empty, as it looks like others."""
    if min(image.size) < MIN_SIDE:
        return None
    import imagehash  # brings SciPy, which takes a moment

    gray = image.convert("L")
    gray = gray.reduce(max(1, min(gray.size) // _REDUCED))
    low, high = gray.getextrema()
    if high - low < _FLAT:  # type: ignore[operator]  # of one band
        return None
    return int(str(imagehash.phash(gray)), 16)


def find(hashes: NDArray[np.uint64], splits: NDArray[np.uint8]) -> list[Pair]:
    """Return pairs of images that look the same and are of different splits, the closest first.

    Of images with equal hashes in one split, the first one stands for all. The time grows with the number of images.

    hashes: uint64 [N].
    splits: uint8 [N], 0 to 7: the split of each image. `first` of a pair is of the lower one.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    of_split = np.full((8, len(unique)), -1, np.int64)
    order = np.arange(len(hashes))[::-1]  # the first image of equal ones is written last
    of_split[splits[order], inverse[order]] = order
    left, right = _close(unique)
    same = np.arange(len(unique))
    left, right = np.concatenate([same, left]), np.concatenate([same, right])
    distances = _distance(unique[left], unique[right])
    found: set[tuple[int, int, int]] = set()
    for one, other in combinations(sorted(np.unique(splits).tolist()), 2):
        for a, b in ((left, right), (right, left)):
            first, second = of_split[one][a], of_split[other][b]
            both = (first >= 0) & (second >= 0)
            found.update(
                zip(distances[both].tolist(), first[both].tolist(), second[both].tolist(), strict=True)
            )
    return [Pair(first, second, distance) for distance, first, second in sorted(found)]


def _close(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of all pairs of different hashes that differ in at most MAX_DISTANCE bits, each once."""
    count = len(hashes)
    pairs = [np.empty(0, np.int64)]
    for mask in _masks():
        keys = hashes & mask
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for step in range(1, min(count, _NEIGHBORS)):
            equal = np.flatnonzero(ordered[step:] == ordered[:-step])
            if not len(equal):
                break
            one, other = order[equal], order[equal + step]
            near = _distance(hashes[one], hashes[other]) <= MAX_DISTANCE
            one, other = one[near], other[near]
            pairs.append(np.minimum(one, other) * count + np.maximum(one, other))
    unique = np.unique(np.concatenate(pairs))
    return unique // max(1, count), unique % max(1, count)


def _masks() -> list[np.uint64]:
    """Return the bits of every two parts."""
    parts, start = [], 0
    for bits in _PARTS:
        parts.append(((1 << bits) - 1) << start)
        start += bits
    return [np.uint64(one | other) for one, other in combinations(parts, 2)]


def _distance(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the number of different bits."""
    different = (one ^ other).view(np.uint8).reshape(len(one), 8)
    counts: NDArray[np.uint8] = _BITS[different].sum(axis=1, dtype=np.uint8)
    return counts


_BITS = np.array([value.bit_count() for value in range(256)], np.uint8)
