"""The split and class of each image in a folder, for every supported layout of the folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ml.container import images
from ml.jobs.data import splits
from ml.jobs.data.names import image_names, normalized
from ml.jobs.data.splits import SPLITS
from ops.errors import OperatorError

_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "lost+found", "$recycle.bin", "system volume information"}
_MAX_ENCLOSING = 8
_SHOWN = 5
_FORMS = "A data set is train|valid|test/CLASS/IMAGE, or at least two folders CLASS/IMAGE"


@dataclass(frozen=True)
class Layout:
    """A data set with keys `<split>/<class>/<file>`.

    root: the folder with the splits or the classes.
    files: the file of each key.
    classes: the class names of each split, including classes without files.
    misplaced: entries outside of the class folders, and links that lead nowhere or around.
    notes: how the folder was interpreted.
    """

    root: Path
    files: dict[str, str] = field(default_factory=dict)
    classes: dict[str, set[str]] = field(default_factory=dict)
    misplaced: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def scan(folder: Path, shares: tuple[float, ...] | None = None) -> Layout:
    """Return the layout of `train|valid|test/<class>/<file>`, or of `<class>/<file>`, which is divided 70/15/15.

    Other usual names of the splits are understood. Files in folders inside a class folder are of that class. Enclosing
    folders and hidden files are ignored.

    shares: of train, valid and test, to make the splits that are missing.

    Raises OperatorError for any other layout, with what was seen and what to do.
    """
    root, notes = _top(Path(folder))
    folders = [entry for entry in _entries(root) if entry.is_dir()]
    named = _split_folders(root, folders)
    layout = Layout(root, notes=notes)
    if not named:
        _divide_classes(layout, folders, splits.DEFAULT_SHARES if shares is None else _all_shares(shares))
        return layout
    missing = [split for split in SPLITS if split not in named]
    _check_missing(root, named, missing, shares)
    for split, place in named.items():
        _add_split(layout, split, place)
    if others := [entry.name for entry in _entries(root) if entry not in named.values()]:
        layout.notes.append(f"next to the splits, not used: {_listed(others)}")
    if missing and shares:
        _take_from_train(layout, splits.shares_of(missing, shares))
    return layout


def _split_folders(root: Path, folders: list[Path]) -> dict[str, Path]:
    """Return the folder of each split; empty if the folders are those of classes."""
    found = splits.splits_of(folder.name for folder in folders)
    candidates = [folder for folder in folders if folder.name in found]
    flat = [folder for folder in candidates if not any(entry.is_dir() for entry in _entries(folder))]
    if len(candidates) == 1 and len(folders) > 1 and (flat or _has_images(candidates[0])):
        return {}  # a class with the name of a split, as a split has its images in class folders
    if flat and any(_entries(folder) for folder in flat):
        files = len(_entries(flat[0]))
        name = flat[0].name
        other = (
            ", or move it away and run the command again with --split 70/15/15" if flat != candidates else ""
        )
        raise OperatorError(
            f"{root} has a folder {name} with {files:,} files and no class folders. {_FORMS}: sort its images into one folder "
            f"for each class{other}. If {name} is a class and not a split, rename it."
        )
    named: dict[str, Path] = {}
    for folder in candidates:
        split = found[folder.name]
        if split in named:
            raise OperatorError(
                f"{root} has two folders for the {split} split, {named[split].name} and {folder.name}: keep one."
            )
        named[split] = folder
    return {split: named[split] for split in SPLITS if split in named}


def _has_images(folder: Path) -> bool:
    """Return whether one of the first files directly in a folder is an image."""
    for path in [entry for entry in _entries(folder) if entry.is_file()][:_SHOWN]:
        with path.open("rb") as file:
            if images.identify(file.read(images.HEAD_BYTES)):
                return True
    return False


def _check_missing(
    root: Path, named: dict[str, Path], missing: list[str], shares: tuple[float, ...] | None
) -> None:
    """Raise OperatorError if splits are missing and nothing makes them, or if --split has nothing to make."""
    seen = _listed([place.name for place in named.values()])
    if not missing:
        if shares:
            raise OperatorError(f"{root} has all splits ({seen}), so that --split has no effect: omit it.")
        return
    lacking = " and ".join(missing)
    others = [entry.name for entry in _entries(root) if entry.is_dir() and entry not in named.values()]
    unknown = (
        f" It also has {_listed(others)}: if that is {' or '.join(missing)}, rename it." if others else ""
    )
    if "train" in missing:
        raise OperatorError(
            f"{root} has a folder for {seen} but none for {lacking}. {_FORMS}: name the folder with the training images "
            f"train.{unknown}"
        )
    if not shares:
        raise OperatorError(
            f"{root} has a folder for {seen} but none for {lacking}: add it, or run the command again with "
            f"--split 70/15/15, which takes the images for {lacking} out of {named['train'].name}. If "
            f"{named['train'].name} is a class and not a split, rename it.{unknown}"
        )


def _add_split(layout: Layout, split: str, place: Path) -> None:
    if place.name != split:
        layout.notes.append(f"folder {place.name} is used as {split}")
    inside = _entries(place)
    if len(inside) == 1 and inside[0].is_dir():
        name = inside[0].name
        if name.lower() == place.name.lower() or splits.split_of(name) == split:
            place = inside[0]  # train/train/CLASS
    by_class = _classes(layout, _folders(place, layout))
    layout.classes[split] = set(by_class)
    for name, files in by_class.items():
        layout.files.update({f"{split}/{name}/{file}": path for file, path in files.items()})


def _all_shares(shares: tuple[float, ...]) -> dict[str, float]:
    return splits.shares_of(["valid", "test"], shares)


def _divide_classes(layout: Layout, folders: list[Path], shares: dict[str, float]) -> None:
    """Add the images of class folders, divided by shares."""
    layout.misplaced.extend(entry for entry in _entries(layout.root) if not entry.is_dir())
    if len(folders) < 2:
        seen = _seen(layout.root)
        raise OperatorError(
            f"{layout.root} has no train, valid and test folders and {len(folders)} class folder(s); it has {seen}. "
            f"{_FORMS}."
        )
    inner = [{entry.name for entry in _entries(folder) if entry.is_dir()} for folder in folders]
    if all(any(splits.split_of(name) for name in names) for names in inner):
        raise OperatorError(
            f"{layout.root} has the splits inside of the classes, such as {folders[0].name}/{min(inner[0])}. {_FORMS}: "
            "move them."
        )
    by_class = _classes(layout, folders)
    layout.classes.update({split: set(by_class) for split in SPLITS})
    for name, files in by_class.items():
        split_of = splits.assign(files, shares)
        layout.files.update({f"{split_of[file]}/{name}/{file}": path for file, path in files.items()})
    percent = "/".join(f"{share:g}" for share in shares.values())
    layout.notes.append(
        f"no train, valid and test folders: every class is split {percent} by the names' hashes"
    )


def _take_from_train(layout: Layout, shares: dict[str, float]) -> None:
    """Move images of the training split to splits that have no folder, by shares."""
    by_class: dict[str, list[str]] = {name: [] for name in layout.classes["train"]}
    for key in layout.files:
        split, name, file = key.split("/")
        if split == "train":
            by_class[name].append(file)
    for name, files in by_class.items():
        for file, split in splits.assign(files, shares).items():
            layout.files[f"{split}/{name}/{file}"] = layout.files.pop(f"train/{name}/{file}")
    made = [split for split in shares if split != "train"]
    layout.classes.update({split: set(by_class) for split in made})
    layout.notes.append(
        f"no folder for {' and '.join(made)}: taken out of train, {'/'.join(f'{s:g}' for s in shares.values())} by the "
        "names' hashes"
    )


def _folders(place: Path, layout: Layout) -> list[Path]:
    """Return the folders in a place. Files next to them are misplaced."""
    entries = _entries(place)
    layout.misplaced.extend(entry for entry in entries if not entry.is_dir())
    return [entry for entry in entries if entry.is_dir()]


def _classes(layout: Layout, folders: list[Path]) -> dict[str, dict[str, str]]:
    """Return the images of each class by name. Folders whose names are equal once they are normalized are one class."""
    found: dict[str, list[tuple[str, str]]] = {}
    nested: Counter[str] = Counter()
    for folder in folders:
        name = normalized(folder.name)
        if name in found:
            layout.notes.append(f"{folder.parent.name} has class {name} in two spellings: they are one class")
        files = found.setdefault(name, [])
        for relative, path in _walk(folder, layout.misplaced):
            files.append((relative, path))
            if "/" in relative:
                nested[f"{folder.name}/{relative.partition('/')[0]}"] += 1
    if count := nested.total():
        layout.notes.append(
            f"{count:,} images in folders inside of class folders, such as {folders[0].parent.name}/{min(nested)}, are of "
            f"that class ({_listed([*found])})"
        )
    return {name: image_names(files) for name, files in found.items()}


def _walk(folder: Path, misplaced: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield the files below a class folder: path below it, and path.

    Links that lead nowhere, or to a folder that contains them, are misplaced. Paths are texts: a set may have millions.
    """
    resolved = folder.resolve()
    waiting = [("", folder, {resolved, *resolved.parents})]
    while waiting:
        above_it, place, above = waiting.pop()
        with os.scandir(place) as scanned:
            entries = sorted((e for e in scanned if _is_visible(e.name)), key=lambda entry: entry.name)
        for entry in entries:
            if _is_file(entry):
                yield f"{above_it}{entry.name}", entry.path
                continue
            path = Path(entry.path)
            if path.is_dir() and path.resolve() not in above:
                waiting.append((f"{above_it}{entry.name}/", path, above | {path.resolve()}))
            else:
                misplaced.append(path)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link around
        return False


def _top(folder: Path) -> tuple[Path, list[str]]:
    """Return the folder, or the folder inside it as long as it has only one, and notes about files next to these."""
    notes = []
    for _ in range(_MAX_ENCLOSING):
        folders = [entry for entry in _entries(folder) if entry.is_dir()]
        if len(folders) != 1 or splits.split_of(folders[0].name):
            break
        if not any(entry.is_dir() for entry in _entries(folders[0])):
            break
        if others := [entry.name for entry in _entries(folder) if entry != folders[0]]:
            notes.append(f"next to folder {folders[0].name}, not used: {_listed(others)}")
        folder = folders[0]
    return folder, notes


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if _is_visible(entry.name))


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _JUNK


def _seen(folder: Path) -> str:
    """Return what a folder has, for a message."""
    entries = _entries(folder)
    if not entries:
        return "nothing"
    kinds = Counter("folder" if entry.is_dir() else entry.suffix.lower() or "no suffix" for entry in entries)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(_SHOWN))
    return f"{counted} ({_listed([entry.name for entry in entries])})"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
