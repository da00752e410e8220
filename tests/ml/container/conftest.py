"""Image sets, and the container's modules on the path, as in the container."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

CONTAINER = Path(__file__).resolve().parents[3] / "ml" / "container"
sys.path.insert(0, str(CONTAINER))
torch.set_num_threads(1)  # the images are tiny, and other tests need the processors


@pytest.fixture(scope="session")
def shades(tmp_path_factory) -> Path:
    """An ImageFolder tree of dark and light 12 x 12 images: 20, 8 and 8 per class in train, valid and test."""
    root = tmp_path_factory.mktemp("shades")
    noise = random.Random(0)
    for split, count in {"train": 20, "valid": 8, "test": 8}.items():
        for name, base in {"dark": 60, "light": 170}.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = Image.new("L", (12, 12))
                image.putdata([base + noise.randint(-40, 40) for _ in range(144)])
                image.save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """scikit-learn's 1,797 handwritten digits as 8 x 8 PNG files, split 70/15/15 per class."""
    from sklearn.datasets import load_digits

    root = tmp_path_factory.mktemp("digits")
    data = load_digits()
    for label in range(10):
        members = [index for index, target in enumerate(data.target) if target == label]
        first, second = round(len(members) * 0.7), round(len(members) * 0.85)
        for split, part in {
            "train": members[:first],
            "valid": members[first:second],
            "test": members[second:],
        }.items():
            folder = root / split / str(label)
            folder.mkdir(parents=True)
            for index in part:
                pixels = (data.images[index] * 255 / 16).round().astype("uint8")
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return root
