"""Find the problems of a folder of images, by kind and file name, before anything is uploaded."""

import hashlib
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ml.container import images
from ml.jobs.data import near_duplicates
from ml.jobs.data.checked import CheckedImages, Pixels
from ml.jobs.data.entries import ImageEntry, entry
from ml.jobs.data.layout import Layout, scan
from ml.jobs.data.parallel import Progress, each, quiet
from ml.jobs.data.seen import PIXEL_BYTES, NearDuplicate, Seen
from ml.jobs.data.splits import SPLITS
from ops.errors import OperatorError

MIN_SIDE = 8  # pixels; the sample's digits are 8 by 8
_LISTED = 20
_MAX_KEY = 900  # bytes; the limit of S3 is 1,024, including the prefix
_MAX_PART = 240  # bytes; file systems allow 255, and a converted image gets a suffix


@dataclass(frozen=True)
class Problem:
    """A problem. file: a key `<split>/<class>/<file>`, a folder `<split>/<class>`, or a path outside of the classes."""

    kind: str
    file: str
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """The result of `validate`.

    layout: the data set as it was found.
    images: how many files were checked.
    skip: the keys to leave out so that no problem is left.
    left: how many images are left then.
    entries: of the valid images, by key.
    near_duplicates: images of different splits that look the same. They are no problem: they may be right.
    """

    layout: Layout = field(repr=False)
    images: int
    problems: list[Problem]
    skip: frozenset[str] = field(repr=False)
    left: int
    entries: dict[str, ImageEntry] = field(repr=False)
    near_duplicates: list[NearDuplicate] = field(repr=False)

    @property
    def root(self) -> Path:
        """The folder with the splits or the classes."""
        return self.layout.root

    @property
    def notes(self) -> list[str]:
        """How the folder was interpreted."""
        return self.layout.notes

    @property
    def misplaced(self) -> frozenset[str]:
        """The entries that are of no class."""
        return frozenset(problem.file for problem in self.problems if problem.kind == "misplaced")

    def accept(self, skip_bad: bool = False) -> frozenset[str]:
        """Return the keys to leave out of the manifest.

        Raises OperatorError if there are problems and skip_bad is false, or if too few images would be left.
        """
        if self.problems and not skip_bad:
            raise OperatorError(
                f"{len(self.problems)} problem(s) in {self.root}; nothing was uploaded.\n{self.listing()}\n"
                "Fix them, or run the command again with --skip-bad to leave them out."
            )
        if not self.left:
            raise OperatorError(
                f"No data set is left in {self.root}: at least two classes need a valid image in each of train, valid "
                f"and test.\n{self.listing()}".rstrip()
            )
        return self.skip

    def listing(self) -> str:
        """Return the problems by kind as indented lines, with at most 20 file names."""
        by_kind: dict[str, list[Problem]] = defaultdict(list)
        for problem in self.problems:
            by_kind[problem.kind].append(problem)
        # Every kind is listed, even if another has many files.
        share = max(1, _LISTED // max(1, len(by_kind)))
        lines = []
        for kind, problems in by_kind.items():
            shown = [p.file + (f" ({p.detail})" if p.detail else "") for p in problems[:share]]
            more = f", and {len(problems) - share} more" if len(problems) > share else ""
            lines.append(f"  {kind}, {len(problems)}: {', '.join(shown)}{more}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of checking one file: its problem, or its entry and pixels."""

    problem: Problem | None = None
    entry: ImageEntry | None = None
    pixels: Pixels | None = None


def validate(
    root: Path,
    progress: Progress = quiet,
    shares: tuple[float, ...] | None = None,
    cache: Path | None = None,
) -> Report:
    """Decode every image completely and compare splits and classes. Raises OperatorError if root is no data set.

    Kinds: bad name, not an image, not understood, unreadable, truncated, tiny, too large, duplicate, contradiction,
    misplaced, similar classes, empty class, missing class.

    shares: as of layout.scan.
    cache: database of the images that were checked before, as of CheckedImages; they are read and not decoded.
    """
    layout = scan(root, shares)
    keys = sorted(layout.files)
    problems = [
        Problem("misplaced", _printable(str(p.relative_to(layout.root))), "in no class folder")
        for p in layout.misplaced
    ]
    bad: set[str] = set()
    seen = Seen()
    known = CheckedImages(cache)
    entries: dict[str, ImageEntry] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about metadata that is damaged, as it is not used
            checks = each(lambda key: examine(key, layout.files[key], known), keys, "checking", progress)
            for key, check in zip(keys, checks, strict=True):
                if check.problem:
                    problems.append(check.problem)
                    bad.add(key)
                elif check.entry and check.pixels:
                    entries[key] = check.entry
                    seen.add(key, check.pixels)
    finally:
        known.close()
    repeated = _repeated(seen.repeated())
    problems += repeated
    bad |= {problem.file for problem in repeated}
    problems += _class_problems(layout)
    dropped = _unusable_classes(layout, bad)
    skip = frozenset(key for key in keys if key in bad or key.split("/")[1] in dropped)
    # Report classes that only become empty because images are left out.
    problems += [
        Problem("empty class", _printable(name), "a split has no valid image left")
        for name in sorted(dropped - _named_classes(problems))
    ]
    classes_left = len(set().union(*layout.classes.values()) - dropped)
    left = len(keys) - len(skip) if classes_left >= 2 else 0
    problems.sort(key=lambda p: (p.kind, p.file))
    near = seen.near_duplicates(skip)
    return Report(layout, len(keys), problems, skip, left, entries, near)


def examine(key: str, path: str, known: CheckedImages) -> Check:
    """Decode one image as training does, unless its content is known."""
    if not key.isprintable() or max(map(_bytes, key.split("/"))) > _MAX_PART or _bytes(key) > _MAX_KEY:
        return Check(Problem("bad name", _printable(key), "control characters, not UTF-8, or too long"))
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return Check(Problem("unreadable", key, error.strerror or str(error)))
    found = entry(content)
    if pixels := known.get(found.sha256):
        return Check(entry=found, pixels=pixels)
    decoded = _decoded(key, content)
    if isinstance(decoded, Problem):
        return Check(decoded)
    known.add(found.sha256, decoded)
    return Check(entry=found, pixels=decoded)


def _decoded(key: str, content: bytes) -> Pixels | Problem:
    """Return what an image looks like, or its problem."""
    try:
        image: Image.Image = images.decode_image(content)
    except images.UnknownFormatError as error:
        return _unknown(key, content[: images.HEAD_BYTES], str(error))
    except images.ImageTooLargeError:
        return Problem("too large", key, f"over {images.MAX_PIXELS:,} pixels")
    except images.TruncatedError:
        return Problem("truncated", key)
    except images.ImageError as error:
        return Problem("unreadable", key, str(error))
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        return Problem("tiny", key, f"{width}×{height}")
    digest = hashlib.sha256(b"%d,%d," % (width, height))
    digest.update(image.convert("RGB").tobytes())
    return Pixels(digest.digest()[:PIXEL_BYTES], near_duplicates.perceptual_hash(image))


def _unknown(key: str, head: bytes, reason: str) -> Problem:
    if images.identify(head):
        return Problem("not understood", key, reason)
    what = images.foreign(head)
    if images.is_other_image(head):
        return Problem("not understood", key, f"{what}: convert it to JPEG or PNG")
    return Problem("not an image", key, what)


def _repeated(seen: list[list[str]]) -> list[Problem]:
    """Return images with the same pixels in several classes or splits. seen: the keys of images with equal pixels.

    In several classes, one of the labels is wrong, and no copy can be kept. In several splits, the model would be
    evaluated on its training data: the copy in the test or validation split is kept, so that leaving out the others does
    not change the evaluation. Pixels are compared, not bytes, as compression and metadata may differ. Copies within one
    split and class are accepted.
    """
    found = []
    for keys in seen:
        if len({key.split("/")[1] for key in keys}) > 1:
            for key in keys:
                other = next(k for k in keys if k.split("/")[1] != key.split("/")[1])
                found.append(Problem("contradiction", key, f"same pixels as {other}"))
            continue
        splits = {key.split("/")[0] for key in keys}
        keep = next(split for split in reversed(SPLITS) if split in splits)
        kept = next(key for key in keys if key.startswith(f"{keep}/"))
        found += [
            Problem("duplicate", k, f"same pixels as {kept}") for k in keys if not k.startswith(f"{keep}/")
        ]
    return found


def _class_problems(layout: Layout) -> list[Problem]:
    problems = []
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in set().union(*layout.classes.values()):
        spellings[name.casefold()].add(name)
    for names in spellings.values():
        if len(names) > 1:
            first, *others = sorted(names)
            detail = f"{', '.join(others)} differs only in the case of letters: rename the folders of one"
            problems.append(Problem("similar classes", _printable(first), _printable(detail)))
    filled = {"/".join(key.split("/")[:2]) for key in layout.files}
    for name in sorted(set().union(*layout.classes.values())):
        lacking = [split for split in SPLITS if name not in layout.classes[split]]
        if lacking:
            problems.append(Problem("missing class", _printable(name), f"not in {', '.join(lacking)}"))
        problems += [
            Problem("empty class", _printable(f"{split}/{name}"))
            for split in SPLITS
            if split not in lacking and f"{split}/{name}" not in filled
        ]
    return problems


def _unusable_classes(layout: Layout, bad: set[str]) -> set[str]:
    """Return the classes without a valid image in every split."""
    valid: dict[str, set[str]] = defaultdict(set)
    for key in layout.files:
        if key not in bad:
            split, name, _ = key.split("/")
            valid[name].add(split)
    return {name for name in set().union(*layout.classes.values()) if len(valid[name]) < len(SPLITS)}


def _named_classes(problems: list[Problem]) -> set[str]:
    return {p.file.split("/")[-1] for p in problems if p.kind in ("empty class", "missing class")}


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)
