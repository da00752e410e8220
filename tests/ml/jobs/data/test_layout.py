"""Layouts of folders of the wild: understood, or refused with what was seen and what to type."""

import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from ml.jobs.data import manifest, validate
from ml.jobs.data.layout import scan
from ml.jobs.data.splits import assign, parse_shares, split_of, splits_of
from ops.errors import OperatorError
from tests.ml.jobs.data.pictures import SPLITS, picture, pictures

NUMBERS = [f"{n}.png" for n in range(20)]


def images(*folders: str, count: int = 20) -> list[str]:
    return [f"{folder}/{n}.png" for folder in folders for n in range(count)]


def counts(root: Path, text: str | None = None) -> dict[str, dict[str, int]]:
    shares = parse_shares(text) if text else None
    assert validate(root, shares=shares).problems == []
    return manifest(root, shares=shares).counts


# ---- names of splits ----


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Training", "Validation", "Testing"), ("train", "valid", "test")),
        (("TRAIN", "VAL", "TEST"), ("train", "valid", "test")),
        (("train_set", "val set", "test-set"), ("train", "valid", "test")),
        (("trainset", "devset", "testset"), ("train", "valid", "test")),
        (("Training Data", "Validation Data", "Test Data"), ("train", "valid", "test")),
        (("train_images", "valid_images", "test_images"), ("train", "valid", "test")),
        (("seg_train", "seg_val", "seg_test"), ("train", "valid", "test")),
        (("train2017", "val2017", "test2017"), ("train", "valid", "test")),
    ],
)
def test_usual_names_of_the_splits_are_understood(tree, names, expected):
    for split, name in zip(SPLITS, names, strict=True):
        (tree / split).rename(tree / f"{name}.new")
    for name in names:
        (tree / f"{name}.new").rename(tree / name)
    assert splits_of(names) == dict(zip(names, expected, strict=True))
    layout = scan(tree)
    assert len(layout.files) == 27 and {key.split("/")[0] for key in layout.files} == set(SPLITS)
    assert all(f"folder {name} is used as" in " ".join(layout.notes) for name in names)


@pytest.mark.parametrize(
    "name", ["cat", "trainee", "test tube", "contest", "developer", "values", "train_1", ""]
)
def test_other_names_mean_no_split(name):
    assert split_of(name) is None


@pytest.mark.parametrize("name", ["train", "test", "Val"])
def test_a_class_may_have_the_name_of_a_split(tmp_path, name):
    found = counts(pictures(tmp_path / "vehicles", images("bus", "car", name)))
    assert found["test"] == {"bus": 3, "car": 3, name: 3}


def test_a_class_with_the_name_of_a_split_may_have_folders_too(tmp_path):
    root = pictures(tmp_path / "v", [*images("bus", "train", count=5), *images("bus/x", "train/x", count=5)])
    assert counts(root)["test"] == {"bus": 2, "train": 2}


def test_a_class_named_like_a_split_inside_of_splits_is_a_class(tmp_path):
    root = pictures(tmp_path / "v", images(*(f"{s}/{c}" for s in SPLITS for c in ("bus", "train")), count=2))
    assert counts(root)["train"] == {"bus": 2, "train": 2}


def test_what_lies_next_to_the_splits_is_named(tree):
    pictures(tree / "unlabeled", ["1.png"])
    (tree / "README.md").write_text("about", encoding="utf-8")
    assert "next to the splits, not used: README.md, unlabeled" in scan(tree).notes


def test_a_split_in_a_folder_of_its_own_name_is_understood(tree):
    for split in SPLITS:
        (tree / split).rename(tree / "new")
        (tree / f"seg_{split}").mkdir()
        (tree / "new").rename(tree / f"seg_{split}" / (split if split == "test" else f"seg_{split}"))
    assert len(scan(tree).files) == 27 and scan(tree).classes["train"] == {"cat", "dog", "emu"}


# ---- splits that are missing ----


@pytest.mark.parametrize(
    ("folders", "missing"), [(("train", "val"), "test"), (("Training", "Testing"), "valid")]
)
def test_a_missing_split_is_refused_with_the_option_that_makes_it(tmp_path, folders, missing):
    root = pictures(tmp_path / "v", images(*(f"{f}/{c}" for f in folders for c in ("a", "b"))))
    with pytest.raises(OperatorError) as error:
        scan(root)
    assert f"a folder for {', '.join(folders)} but none for {missing}" in str(error.value)
    assert f"--split 70/15/15, which takes the images for {missing} out of {folders[0]}" in str(error.value)
    found = counts(root, "70/15/15")
    assert found[missing] == {"a": 4, "b": 4} and found["train"] == {"a": 16, "b": 16}, "15 of 85 % of 20"
    assert counts(root, "75/25")[missing] == {"a": 5, "b": 5}
    assert counts(root, "75/25") == counts(root, "75/25")


def test_a_folder_that_may_be_the_missing_split_is_named(tmp_path):
    root = pictures(tmp_path / "v", images("Train/a", "Train/b", "Dev/a", "Dev/b", "Holdout/a", count=2))
    with pytest.raises(OperatorError, match=r"It also has Holdout: if that is test, rename it"):
        scan(root)


def test_only_train_is_split_into_three(tmp_path):
    root = pictures(tmp_path / "v", images("train/a", "train/b"))
    assert {split: sum(n.values()) for split, n in counts(root, "60/20/20").items()} == {
        "train": 24,
        "valid": 8,
        "test": 8,
    }
    with pytest.raises(
        OperatorError, match="--split 80/20 has two shares, and valid and test are both missing"
    ):
        scan(root, (80, 20))


def test_images_that_move_to_another_split_leave_train(tmp_path):
    root = pictures(tmp_path / "v", images("train/a", "train/b", "val/a", "val/b"))
    sources = manifest(root, shares=(70, 15, 15)).sources
    assert max(Counter(sources.values()).values()) == 1 and len(sources) == 80


def test_shares_of_class_folders_are_chosen(tmp_path):
    root = pictures(tmp_path / "v", images("a", "b"))
    assert counts(root)["train"] == {"a": 14, "b": 14}
    assert counts(root, "50/25/25")["train"] == {"a": 10, "b": 10}
    assert any("is split 50/25/25" in note for note in validate(root, shares=(50, 25, 25)).notes)


def test_shares_for_nothing_are_refused(tree):
    with pytest.raises(
        OperatorError, match=r"has all splits \(train, valid, test\).*--split has no effect: omit it"
    ):
        scan(tree, (70, 15, 15))


@pytest.mark.parametrize("text", ["", "70", "70/30/0", "a/b", "1/2/3/4", "-1/2", "nan/1/1", "70,15,15"])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(OperatorError, match="give the shares of train, valid and test, such as 70/15/15"):
        parse_shares(text)


@pytest.mark.parametrize(
    "count, expected", [(3, (1, 1, 1)), (20, (14, 3, 3)), (100, (70, 15, 15)), (2, (2, 0, 0))]
)
def test_assign_is_about_70_15_15(count, expected):
    names = [f"{n}.png" for n in range(count)]
    splits = assign(names)
    assert tuple(list(splits.values()).count(split) for split in SPLITS) == expected
    assert splits == assign(reversed(names)), "the order of the files does not matter"


# ---- folders in class folders ----


def test_images_in_folders_inside_of_a_class_folder_are_of_the_class(tree):
    picture(tree / "train/cat/session1/0.png", 70)
    picture(tree / "train/cat/session2/deep/0.png", 71)
    report = validate(tree)
    assert report.problems == [] and report.left == 29
    assert any(
        "2 images in folders inside of class folders, such as train/cat/session1" in n for n in report.notes
    )
    assert {"train/cat/session1__0.png", "train/cat/session2__deep__0.png"} <= set(manifest(tree).files)


def test_a_name_that_a_folder_makes_twice_stays_two_files(tree):
    picture(tree / "train/cat/a/0.png", 70)
    picture(tree / "train/cat/a__0.png", 71)
    picture(tree / "train/cat/A__0.PNG", 72)
    files = manifest(tree).files
    assert len(files) == 30 and len({key.casefold() for key in files}) == 30


def test_links_that_lead_around_or_nowhere_are_misplaced(tree):
    (tree / "train/cat/again").symlink_to(tree / "train")
    (tree / "train/cat/nowhere").symlink_to("nowhere-else")
    report = validate(tree)
    assert {(p.kind, p.file) for p in report.problems} == {
        ("misplaced", "train/cat/again"),
        ("misplaced", "train/cat/nowhere"),
    }
    assert report.left == 27


def test_splits_inside_of_the_classes_are_refused(tmp_path):
    root = pictures(tmp_path / "v", images(*(f"{c}/{s}" for c in ("a", "b") for s in SPLITS), count=2))
    with pytest.raises(
        OperatorError, match=r"has the splits inside of the classes, such as a/test.*move them"
    ):
        scan(root)


# ---- names of other systems ----


def test_names_of_another_system_are_the_same_data_set(tmp_path):
    names = images("train/Café", "valid/Café", "test/Café", "train/b", "valid/b", "test/b", count=2)
    here = pictures(tmp_path / "here" / "v", names)
    for number, name in enumerate(names):
        picture(tmp_path / "mac" / "v" / unicodedata.normalize("NFD", name), number)
    assert manifest(here).hash == manifest(tmp_path / "mac" / "v").hash
    (tmp_path / "mac" / "v" / "test" / unicodedata.normalize("NFD", "Café")).rename(
        tmp_path / "mac" / "v" / "test" / unicodedata.normalize("NFC", "Café")
    )
    assert counts(tmp_path / "mac" / "v")["test"] == {"Café": 2, "b": 2}


def test_blanks_around_a_class_name_do_not_make_another_class(tree):
    (tree / "valid" / "emu").rename(tree / "valid" / "emu ")
    assert validate(tree).problems == [] and manifest(tree).classes == ["cat", "dog", "emu"]


@pytest.mark.parametrize(
    "name", ["a b.png", "a#b.png", "a?b.png", "a%20b.png", "a+b.png", "é.png", "a&=b.png", "a..png"]
)
def test_names_with_special_characters_are_kept(tree, name):
    picture(tree / "train/cat" / name, 60)
    assert validate(tree).problems == []
    assert f"train/cat/{name}" in manifest(tree).files


# ---- what is refused ----


def test_enclosing_folders_are_ignored(tree, tmp_path):
    outer = tmp_path / "outer" / "one-more"
    outer.mkdir(parents=True)
    tree.rename(outer / "pets")
    (tmp_path / "outer" / "__MACOSX").mkdir()
    (tmp_path / "outer" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "outer" / "labels.csv").write_bytes(b"x")
    layout = scan(tmp_path / "outer")
    assert layout.root == outer / "pets"
    assert layout.notes == ["next to folder one-more, not used: labels.csv"]
    assert manifest(tmp_path / "outer").dataset == "pets"


def test_class_folders_without_splits_are_split(tree):
    report = validate(tree / "train")
    assert report.problems == [] and any("70/15/15" in note for note in report.notes)
    assert manifest(tree / "train").counts == {split: {"cat": 1, "dog": 1, "emu": 1} for split in SPLITS}


def test_a_class_too_small_to_split_is_a_problem(tree):
    (tree / "train" / "cat" / "0.png").unlink()
    problems = validate(tree / "train").problems
    assert {(p.kind, p.file) for p in problems} == {("empty class", "valid/cat"), ("empty class", "test/cat")}


def test_other_folders_are_refused_with_what_was_seen(tree, tmp_path):
    with pytest.raises(
        OperatorError, match=r"and 0 class folder\(s\); it has 2 \.jpg, 1 \.png \(0\.png, 1\.jpg"
    ):
        validate(tree / "train" / "cat")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OperatorError, match="it has nothing"):
        validate(tmp_path / "empty")
    (tree / "val").mkdir()
    with pytest.raises(OperatorError, match="two folders for the valid split"):
        validate(tree)
    shutil.rmtree(tree / "val")
    shutil.rmtree(tree / "train")
    with pytest.raises(
        OperatorError, match=r"none for train.*name the folder with the training images train"
    ):
        validate(tree)


def test_a_split_without_class_folders_is_refused(tree):
    shutil.rmtree(tree / "test")
    pictures(tree / "test", ["1.png", "2.png"])
    with pytest.raises(
        OperatorError, match=r"a folder test with 2 files and no class folders.*--split 70/15/15"
    ):
        validate(tree)
