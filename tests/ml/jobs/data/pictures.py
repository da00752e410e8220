"""Small pictures of noise, and folders of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

SPLITS = ("train", "valid", "test")


def picture(path: Path, seed: int, size: tuple[int, int] = (24, 20), **options: Any) -> Path:
    """Write a picture that depends on the seed. options: as of Image.save."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = numpy.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype="uint8")
    Image.fromarray(noise).save(path, **options)
    return path


def pictures(root: Path, names: Iterable[str], **options: Any) -> Path:
    """Write a picture, different from all others, for each path below a folder. Returns the folder."""
    for seed, name in enumerate(names):
        picture(root / name, seed, **options)
    return root
