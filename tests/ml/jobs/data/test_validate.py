"""Validation and layouts: every kind of problem is found and reported, and a valid data set has none."""

import io
import shutil
import zlib
from pathlib import Path

import numpy
import pytest
from PIL import Image

from ml.jobs.data import manifest, validate
from ml.jobs.data.layout import assign, scan
from ops.errors import OperatorError

SPLITS = ("train", "valid", "test")


def image(path: Path, seed: int, size=(24, 20), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = numpy.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype="uint8")
    Image.fromarray(noise).save(path, **options)
    return path


@pytest.fixture
def tree(tmp_path) -> Path:
    """Three classes with three valid images in each split."""
    root = tmp_path / "pets"
    seed = 0
    for split in SPLITS:
        for name in ("cat", "dog", "emu"):
            for number in range(3):
                seed += 1
                image(root / split / name / f"{number}.{'jpg' if number else 'png'}", seed)
    return root


def found(root: Path) -> set[tuple[str, str]]:
    return {(problem.kind, problem.file) for problem in validate(root).problems}


def test_a_valid_data_set_has_no_problem(tree):
    report = validate(tree)
    assert report.problems == [] and report.accept() == frozenset() and report.images == report.left == 27


def test_every_kind_of_bad_image_is_reported(tree):
    cat = tree / "train" / "cat"
    whole = (cat / "1.jpg").read_bytes()
    (cat / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    png = image(cat / "whole.png", 98, (200, 200)).read_bytes()
    (cat / "cut.png").write_bytes(png[: len(png) // 2])
    (cat / "noise.jpg").write_bytes(b"not an image at all" * 20)
    (cat / "nothing.png").write_bytes(b"")
    (cat / "damaged.jpg").write_bytes(whole[:4] + b"\0" * 400)
    (cat / "notes.txt").write_text("a note")
    image(cat / "thin.png", 99, (7, 300))
    (cat / "inner").mkdir()
    image(tree / "train" / "loose.png", 97)
    assert found(tree) == {
        ("truncated", "train/cat/cut.jpg"),
        ("truncated", "train/cat/cut.png"),
        ("unreadable", "train/cat/damaged.jpg"),
        ("not an image", "train/cat/noise.jpg"),
        ("not an image", "train/cat/nothing.png"),
        ("not an image", "train/cat/notes.txt"),
        ("tiny", "train/cat/thin.png"),
        ("misplaced", "train/cat/inner"),
        ("misplaced", "train/loose.png"),
    }


def test_images_of_eight_pixels_are_accepted(tree):
    image(tree / "train" / "cat" / "small.png", 50, (8, 8))
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
        again.save(tree / "valid" / "emu" / "other-bytes.bmp")
    shutil.copy(kept, tree / "test" / "dog" / "copy-within-the-split.png")
    report = validate(tree)
    assert {(p.kind, p.file) for p in report.problems} == {
        ("duplicate", "train/dog/copy.png"),
        ("duplicate", "valid/emu/other-bytes.bmp"),
    }
    assert all("test/dog/" in p.detail for p in report.problems), "the held-out copy is the one to keep"


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


@pytest.mark.parametrize("name", ["validation", "val", "Val"])
def test_other_names_of_the_validation_split_are_accepted(tree, name):
    (tree / "valid").rename(tree / name)
    report = validate(tree)
    assert report.problems == [] and f"folder {name} is used as valid" in report.notes
    assert set(manifest(tree).counts) == set(SPLITS)


def test_enclosing_folders_are_ignored(tree, tmp_path):
    outer = tmp_path / "outer" / "one-more"
    outer.mkdir(parents=True)
    tree.rename(outer / "pets")
    (tmp_path / "outer" / "__MACOSX").mkdir()
    (tmp_path / "outer" / ".DS_Store").write_bytes(b"x")
    assert scan(tmp_path / "outer").root == outer / "pets"
    assert manifest(tmp_path / "outer").dataset == "pets"


def test_class_folders_without_splits_are_split(tree):
    report = validate(tree / "train")
    assert report.problems == [] and any("70/15/15" in note for note in report.notes)
    counts = manifest(tree / "train").counts
    assert counts == {split: {"cat": 1, "dog": 1, "emu": 1} for split in SPLITS}


def test_a_class_too_small_to_split_is_a_problem(tree):
    (tree / "train" / "cat" / "0.png").unlink()
    assert found(tree / "train") == {("empty class", "valid/cat"), ("empty class", "test/cat")}


@pytest.mark.parametrize(
    "count, expected", [(3, (1, 1, 1)), (20, (14, 3, 3)), (100, (70, 15, 15)), (2, (2, 0, 0))]
)
def test_assign_is_about_70_15_15(count, expected):
    names = [f"{n}.png" for n in range(count)]
    splits = assign(names)
    assert tuple(list(splits.values()).count(split) for split in SPLITS) == expected
    assert splits == assign(reversed(names)), "the order of the files does not matter"


def test_other_folders_are_refused(tree, tmp_path):
    with pytest.raises(OperatorError, match="train, valid and test folders and 0 class"):
        validate(tree / "train" / "cat")
    (tree / "val").mkdir()
    with pytest.raises(OperatorError, match="two folders for the valid split"):
        validate(tree)
    shutil.rmtree(tree / "val")
    shutil.rmtree(tree / "test")
    with pytest.raises(OperatorError, match="none for test"):
        validate(tree)


def test_names_that_s3_does_not_accept_are_problems(tree):
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/a\nb.png")
    shutil.copy(tree / "train/cat/0.png", tree / "train/cat/fine é ü.png")
    assert {kind for kind, _ in found(tree)} == {"bad name"}


def test_progress_reaches_the_total(tree):
    seen = []
    validate(tree, lambda *report: seen.append(report))
    assert seen[-1] == ("checking", 27, 27) and len(seen) == 27
