"""The data stage."""

from pathlib import Path

import pytest
from PIL import Image

from ml.jobs.data import stage
from ops import console
from ops.errors import OperatorError
from ops.outputs import MissingOutputs
from pipeline import data
from tests.ml.jobs.data.pictures import picture, pictures


@pytest.fixture(autouse=True)
def output():
    """Let the console write to what capsys captures in each test."""
    console.console.cache_clear()
    yield
    console.console.cache_clear()


@pytest.fixture
def pets(tmp_path) -> Path:
    """Training and validation pictures of two classes, some of them bitmaps or nested."""
    names = [f"{split}/{c}/{n}.png" for split in ("train", "val") for c in ("cat", "dog") for n in range(8)]
    root = pictures(tmp_path / "pets", names)
    picture(root / "train/cat/a.bmp", 90)
    picture(root / "train/cat/b.jpg", 91, format="BMP")
    picture(root / "train/dog/session1/c.png", 92)
    return root


def test_without_a_foundation_nothing_is_downloaded(moto_aws, dev, monkeypatch):
    monkeypatch.setattr(stage, "fetch", lambda *_: pytest.fail("it downloads"))
    with pytest.raises(MissingOutputs, match=r"run \./inv apply --stack foundation --env dev"):
        data.run(dev, "dogs")


def test_what_is_converted_and_left_out_is_printed_and_returned(account, dev, pets, capsys):
    (pets / "train/cat/notes.txt").write_text("no picture", encoding="utf-8")
    (pets / "val/loose.png").write_bytes(b"x")
    with pytest.raises(OperatorError, match=r"but none for test.*--split 70/15/15"):
        data.run(dev, str(pets))
    with pytest.raises(OperatorError, match=r"2 problem\(s\).*nothing was uploaded"):
        data.run(dev, str(pets), split="70/15/15")
    result = data.run(dev, str(pets), skip_bad=True, split="70/15/15")
    assert result["counts"] == {"train": 15, "valid": 16, "test": 4}
    assert result["left_out"] == ["train/cat/notes.txt", "val/loose.png"]
    assert sorted(result["converted"].values()) == ["BMP", "BMP"]
    printed = " ".join(capsys.readouterr().err.split())
    assert "train/session1" not in printed and "dog/session1, are of that class" in printed
    assert "no folder for test: taken out of train" in printed
    assert "left out 2 files" in printed and "notes.txt (text)" in printed and "loose.png" in printed
    assert "converted to PNG (BMP), 2:" in printed and "cat/a.bmp.png" in printed


def test_a_second_run_sends_nothing_converted_images_included(account, dev, pets):
    assert data.run(dev, str(pets), split="70/15/15")["sent"] == 35
    again = data.run(dev, str(pets), split="70/15/15")
    assert (again["sent"], again["unchanged"]) == (0, 35)
    with Image.open(pets / "train/cat/a.bmp") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(pets / "train/cat/a.bmp")
    assert data.run(dev, str(pets), split="70/15/15")["sent"] == 1
