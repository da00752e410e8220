"""The split and class of each image in a folder, for every supported layout of the folder."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ops.errors import OperatorError

SPLITS = ("train", "valid", "test")
_SPLIT_NAMES = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}
_JUNK = {"__macosx", "thumbs.db", "desktop.ini"}
_HELD_OUT = 0.15
_MAX_ENCLOSING = 8


@dataclass(frozen=True)
class Layout:
    """A data set with keys `<split>/<class>/<file>`.

    root: the folder with the splits or the classes.
    files: the file of each key.
    classes: the class names of each split, including classes without files.
    misplaced: entries outside of the class folders.
    notes: how the folder was interpreted.
    """

    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    classes: dict[str, set[str]] = field(default_factory=dict)
    misplaced: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def scan(folder: Path) -> Layout:
    """Return the layout of `train|valid|test/<class>/<file>`, or of `<class>/<file>`, which is split 70/15/15.

    `validation` and `val` mean `valid`. Enclosing folders and hidden files are ignored. Raises OperatorError for any
    other layout.
    """
    root = _top(Path(folder))
    named: dict[str, Path] = {}
    for entry in _entries(root):
        split = _SPLIT_NAMES.get(entry.name.lower())
        if split is None or not entry.is_dir():
            continue
        if split in named:
            raise OperatorError(
                f"{root} has two folders for the {split} split, {named[split].name} and {entry.name}: keep one."
            )
        named[split] = entry
    if not named:
        return _split_classes(root)
    if missing := [split for split in SPLITS if split not in named]:
        raise OperatorError(
            f"{root} has a folder for {', '.join(named)} but none for {', '.join(missing)}: add it, or give a folder "
            "of class folders, which is split 70/15/15."
        )
    layout = Layout(root)
    for split in SPLITS:
        if named[split].name != split:
            layout.notes.append(f"folder {named[split].name} is used as {split}")
        by_class = _classes(named[split], layout.misplaced)
        layout.classes[split] = set(by_class)
        for name, files in by_class.items():
            layout.files.update({f"{split}/{name}/{file.name}": file for file in files})
    return layout


def assign(names: Iterable[str]) -> dict[str, str]:
    """Split the images of one class about 70/15/15. Returns the split of each name, the same on every machine.

    Sorts by the hashes of the names: related images (frames of a film, pages of a writer) are spread, and a new image
    moves few others. With 3 images or more, every split gets one.
    """
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
    held_out = min(max(1, round(len(order) * _HELD_OUT)), len(order) // 3)
    splits = ["test"] * held_out + ["valid"] * held_out
    splits += ["train"] * (len(order) - len(splits))
    return dict(zip(order, splits, strict=True))


def _split_classes(root: Path) -> Layout:
    layout = Layout(root)
    by_class = _classes(root, layout.misplaced)
    if len(by_class) < 2:
        raise OperatorError(
            f"{root} has no train, valid and test folders and {len(by_class)} class folder(s): a data set is "
            "train|valid|test/CLASS/IMAGE, or at least two folders CLASS/IMAGE."
        )
    layout.classes.update({split: set(by_class) for split in SPLITS})
    for name, files in by_class.items():
        split_of = assign(file.name for file in files)
        layout.files.update({f"{split_of[file.name]}/{name}/{file.name}": file for file in files})
    layout.notes.append(
        "no train, valid and test folders: every class is split 70/15/15 by the names' hashes"
    )
    return layout


def _classes(folder: Path, misplaced: list[Path]) -> dict[str, list[Path]]:
    classes: dict[str, list[Path]] = {}
    for entry in _entries(folder):
        if not entry.is_dir():
            misplaced.append(entry)
            continue
        inside = _entries(entry)
        classes[entry.name] = [file for file in inside if file.is_file()]
        misplaced += [other for other in inside if not other.is_file()]
    return classes


def _top(folder: Path) -> Path:
    """Return the folder, or the folder inside it as long as it has only one."""
    for _ in range(_MAX_ENCLOSING):
        folders = [entry for entry in _entries(folder) if entry.is_dir()]
        if len(folders) != 1 or folders[0].name.lower() in _SPLIT_NAMES:
            break
        if not any(entry.is_dir() for entry in _entries(folders[0])):
            break
        folder = folders[0]
    return folder


def _entries(folder: Path) -> list[Path]:
    visible = (e for e in folder.iterdir() if not e.name.startswith(".") and e.name.lower() not in _JUNK)
    return sorted(visible)
