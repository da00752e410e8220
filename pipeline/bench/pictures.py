"""Pictures for benchmarks: JPEG files of any number, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 500, 375


def write(
    folder: Path, counts: dict[str, int], classes: int, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Path:
    """Write an ImageFolder tree of each split, unless the folder has it. Returns the folder.

    A class is a texture: its pictures have two waves of its directions and lengths, in its colors, and noise.

    counts: number of pictures of each split, over all classes. size: width and height in pixels.
    """
    if (folder / "complete").exists():
        return folder
    random = np.random.default_rng(0)
    looks = [
        (random.uniform(0, np.pi, 2), random.uniform(0.05, 0.4, 2), random.uniform(40, 215, 3))
        for _ in range(classes)
    ]
    for split, count in counts.items():
        for number in range(count):
            label = number % classes
            file = folder / split / f"class_{label:02d}" / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_picture(random, *looks[label], size)).save(file, quality=85)
    (folder / "complete").touch()
    return folder


def _picture(
    random: np.random.Generator,
    angles: np.ndarray,
    lengths: np.ndarray,
    color: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Return uint8 [height, width, 3]."""
    y, x = np.mgrid[: size[1], : size[0]]
    waves = sum(
        np.sin((x * np.cos(a) + y * np.sin(a)) * length + random.uniform(0, 6.3))
        for a, length in zip(
            angles + random.normal(0, 0.1, 2), lengths * random.normal(1, 0.1, 2), strict=True
        )
    )
    pixels = (
        color * random.normal(1, 0.15) + 25 * waves[..., None] + random.normal(0, 20, (size[1], size[0], 3))
    )
    bounded: np.ndarray = pixels.clip(0, 255).astype(np.uint8)
    return bounded
