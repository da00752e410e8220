"""Validation and layouts: every kind of problem is found and reported, and a valid data set has none."""

import io
import shutil
import zlib
from pathlib import Path

import pytest
from PIL import Image

from ml.jobs.data import manifest, validate
from ops.errors import OperatorError
from tests.ml.jobs.data.pictures import picture


def found(root: Path) -> set[tuple[str, str]]:
    return {(problem.kind, problem.file) for problem in validate(root).problems}


def test_a_valid_data_set_has_no_problem(tree):
    report = validate(tree)
    assert report.problems == [] and report.accept() == frozenset() and report.images == report.left == 27


def test_every_kind_of_bad_image_is_reported(tree):
    cat = tree / "train" / "cat"
    whole = (cat / "1.jpg").read_bytes()
    (cat / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    png = picture(cat / "whole.png", 98, (200, 200)).read_bytes()
    (cat / "cut.png").write_bytes(png[: len(png) // 2])
    (cat / "noise.jpg").write_bytes(b"not an image at all" * 20)
    (cat / "nothing.png").write_bytes(b"")
    (cat / "damaged.jpg").write_bytes(whole[:4] + b"\0" * 400)
    (cat / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (cat / "notes.txt").write_text("a note")
    picture(cat / "thin.png", 99, (7, 300))
    (cat / "nowhere.png").symlink_to("no-such-file")
    picture(tree / "train" / "loose.png", 97)
    assert found(tree) == {
        ("truncated", "train/cat/cut.jpg"),
        ("truncated", "train/cat/cut.png"),
        ("unreadable", "train/cat/damaged.jpg"),
        ("not an image", "train/cat/noise.jpg"),
        ("not an image", "train/cat/nothing.png"),
        ("not an image", "train/cat/notes.txt"),
        ("not understood", "train/cat/IMG_1.HEIC"),
        ("tiny", "train/cat/thin.png"),
        ("misplaced", "train/cat/nowhere.png"),
        ("misplaced", "train/loose.png"),
    }


def test_images_of_eight_pixels_are_accepted(tree):
    picture(tree / "train" / "cat" / "small.png", 50, (8, 8))
    assert found(tree) == set()


@pytest.mark.parametrize("side", [7_100, 12_000, 60_000])
def test_too_many_pixels_are_found_without_decoding(tree, side):
    """Below Pillow's warning, between its warning and its error, and above its error."""
    header = io.BytesIO()
    Image.new("1", (8, 8)).save(header, "PNG")
    raw = bytearray(header.getvalue())
    raw[16:24] = side.to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(raw[12:29]).to_bytes(4, "big")
    (tree / "test" / "dog" / "huge.png").write_bytes(raw)
    assert found(tree) == {("too large", "test/dog/huge.png")}


def test_the_same_pixels_in_two_splits_are_duplicates(tree):
    kept = tree / "test" / "dog" / "0.png"
    shutil.copy(kept, tree / "train" / "dog" / "copy.png")
    with Image.open(kept) as again:
        again.save(tree / "valid" / "dog" / "other-bytes.bmp")
    shutil.copy(kept, tree / "test" / "dog" / "copy-within-the-split.png")
    report = validate(tree)
    assert {(p.kind, p.file) for p in report.problems} == {
        ("duplicate", "train/dog/copy.png"),
        ("duplicate", "valid/dog/other-bytes.bmp"),
    }
    assert all("test/dog/" in p.detail for p in report.problems), "the held-out copy is the one to keep"


@pytest.mark.parametrize("place", ["test/cat/copy.png", "train/emu/copy.png"])
def test_the_same_pixels_in_two_classes_contradict_each_other(tree, place):
    shutil.copy(tree / "test" / "dog" / "0.png", tree / place)
    report = validate(tree)
    assert {(p.kind, p.file) for p in report.problems} == {
        ("contradiction", "test/dog/0.png"),
        ("contradiction", place),
    }
    assert f"test/dog/0.png (same pixels as {place})" in report.listing()
    assert report.skip == {"test/dog/0.png", place}, "nobody knows which label is right"


def test_classes_that_differ_only_in_case_are_a_problem(tree):
    (tree / "valid" / "emu").rename(tree / "valid" / "Emu")
    assert found(tree) == {
        ("similar classes", "Emu"),
        ("missing class", "Emu"),
        ("missing class", "emu"),
    }
    assert "emu differs only in the case of letters: rename" in validate(tree).listing()


def test_similar_images_are_not_duplicates(tree):
    with Image.open(tree / "test" / "dog" / "0.png") as near:
        near = near.copy()
    near.putpixel((3, 3), (1, 2, 3))
    near.save(tree / "train" / "dog" / "near.png")
    assert found(tree) == set()


def test_missing_and_empty_classes_are_problems(tree):
    shutil.rmtree(tree / "valid" / "emu")
    for file in (tree / "test" / "dog").iterdir():
        file.unlink()
    assert found(tree) == {("missing class", "emu"), ("empty class", "test/dog")}


def test_without_skip_bad_problems_are_listed_and_refused(tree):
    whole = (tree / "train" / "cat" / "0.png").read_bytes()
    for number in range(40):
        (tree / "train" / "cat" / f"bad{number:02}.png").write_bytes(whole[:-40])
    (tree / "train" / "dog" / "why.txt").write_text("x")
    with pytest.raises(OperatorError) as error:
        validate(tree).accept()
    text = str(error.value)
    assert "41 problem(s)" in text and "--skip-bad" in text
    assert "train/cat/bad00.png" in text and "train/dog/why.txt" in text, "every kind is shown"
    assert text.count("bad") - text.count("--skip-bad") <= 20 and "and 30 more" in text


def test_skip_bad_leaves_out_only_bad_images(tree):
    (tree / "train" / "cat" / "bad.png").write_bytes(b"x")
    shutil.copy(tree / "test" / "dog" / "0.png", tree / "train" / "dog" / "copy.png")
    skip = validate(tree).accept(skip_bad=True)
    assert skip == {"train/cat/bad.png", "train/dog/copy.png"}
    assert len(manifest(tree, skip).files) == 27


def test_skip_bad_leaves_out_a_class_that_is_missing_in_a_split(tree):
    shutil.rmtree(tree / "valid" / "emu")
    report = validate(tree)
    left = manifest(tree, report.accept(skip_bad=True))
    assert left.classes == ["cat", "dog"] and len(left.files) == 18


def test_a_class_emptied_by_skipping_is_reported_too(tree):
    for file in (tree / "valid" / "emu").iterdir():
        file.write_bytes(b"x")
    report = validate(tree)
    assert ("empty class", "emu") in {(p.kind, p.file) for p in report.problems}
    assert manifest(tree, report.accept(skip_bad=True)).classes == ["cat", "dog"]


def test_too_few_images_are_refused_even_with_skip_bad(tree):
    for name in ("cat", "dog"):
        shutil.rmtree(tree / "valid" / name)
    with pytest.raises(OperatorError, match="No data set is left"):
        validate(tree).accept(skip_bad=True)


def test_names_that_s3_does_not_accept_are_problems(tree):
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/a\nb.png")
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/fine é ü.png")
    assert {kind for kind, _ in found(tree)} == {"bad name"}


def test_progress_reaches_the_total(tree):
    seen = []
    validate(tree, lambda *report: seen.append(report))
    assert seen[-1] == ("checking", 27, 27) and len(seen) == 27
