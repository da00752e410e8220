"""A data set of pictures."""

from pathlib import Path

import pytest

from tests.ml.jobs.data.pictures import SPLITS, pictures


@pytest.fixture
def tree(tmp_path) -> Path:
    """Three classes with three valid images in each split."""
    names = [
        f"{split}/{name}/{number}.{'jpg' if number else 'png'}"
        for split in SPLITS
        for name in ("cat", "dog", "emu")
        for number in range(3)
    ]
    return pictures(tmp_path / "pets", names)
