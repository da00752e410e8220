"""No file of a source disappears: it is in the manifest, or it is named, or the source is refused with a sentence."""

import unicodedata
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.jobs.data import manifest, validate
from ml.jobs.data.layout import scan
from ops.errors import OperatorError
from tests.ml.jobs.data.pictures import picture


def _decomposed(name: str) -> str:
    """Return a name as macOS stores it."""
    return unicodedata.normalize("NFD", name)


FOLDERS = st.sampled_from(
    [
        "train",
        "val",
        "Test",
        "Training",
        "test_set",
        "cat",
        "Cat",
        "dog",
        "é",
        _decomposed("é"),
        " dog",
        "dog ",
        "a.b",
    ]
)
NAMES = st.sampled_from(
    [
        "1.png",
        "1.PNG",
        "1.bmp",
        "2.jpg",
        "é.png",
        _decomposed("é.png"),
        "a__1.png",
        "a#b?.tif",
        "notes.txt",
        "x",
        " 1.png",
    ]
)
PATHS = st.tuples(st.lists(FOLDERS, max_size=4), NAMES).map(lambda parts: "/".join((*parts[0], parts[1])))


def write(root: Path, paths: list[str]) -> set[Path]:
    """Write a picture, or a text, for each path that is not taken. Returns the files."""
    written = set()
    for seed, name in enumerate(paths):
        path = root / name
        if path.exists() or any(parent.is_file() for parent in path.parents):
            continue
        if path.suffix == ".txt":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a note", encoding="utf-8")
        else:
            kind = {".jpg": "JPEG", ".bmp": "BMP", ".tif": "TIFF"}.get(path.suffix, "PNG")
            picture(path, seed, format=kind)
        written.add(path)
    return written


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(paths=st.lists(PATHS, min_size=1, max_size=25), split=st.booleans())
def test_every_file_is_in_the_manifest_or_named(tmp_path_factory, paths, split):
    root = tmp_path_factory.mktemp("tree") / "data"
    root.mkdir()
    written = write(root, paths)
    shares = (60.0, 20.0, 20.0) if split else None
    try:
        layout = scan(root, shares)
        report = validate(root, shares=shares)
    except OperatorError as error:
        assert str(root) in str(error) or "--split" in str(error)
        return
    unused = [note for note in report.notes if "not used: " in note]
    for path in written:
        known = str(path) in layout.files.values() or path in layout.misplaced
        parts = path.relative_to(root).parts
        assert known or any("more" in note or any(part in note for part in parts) for note in unused), path
    assert len(layout.files) == len(set(layout.files.values())), "every file has one key"
    assert len({unicodedata.normalize("NFC", key).casefold() for key in layout.files}) == len(
        layout.files
    ) or any(problem.kind == "similar classes" for problem in report.problems)
    assert {p.file for p in report.problems if p.kind == "misplaced"} == report.misplaced
    assert len(report.misplaced) == len(layout.misplaced)

    try:
        skip = report.accept(skip_bad=True)
    except OperatorError as error:
        assert "No data set is left" in str(error)
        return
    made = manifest(root, skip, shares=shares)
    assert set(made.sources.values()) == {path for key, path in layout.files.items() if key not in skip}
    assert sum(sum(n.values()) for n in made.counts.values()) == report.left == len(made.files)
    assert all(min(by_class.values()) > 0 for by_class in made.counts.values()), "training has every class"
    for key in skip:
        classes = {problem.file.split("/")[-1] for problem in report.problems}
        named = {problem.file for problem in report.problems}
        assert key in named or key.split("/")[1] in classes, "left out by name, or with its class"
