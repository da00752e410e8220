"""The three splits: how their folders are named, and how images are divided among them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping

from ops.errors import OperatorError

SPLITS = ("train", "valid", "test")
DEFAULT_SHARES = {"train": 70.0, "valid": 15.0, "test": 15.0}

_WORDS = {
    "train": ("train", "training", "trn"),
    "valid": ("valid", "validation", "validate", "validating", "val", "dev", "development"),
    "test": ("test", "testing", "tst"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
_FILLERS = r"(?:set|data|dataset|images?|imgs?|pictures?|photos?|samples?|split|folder|dir)"


def split_of(name: str) -> str | None:
    """Return the split that a folder's name means, such as `Training`, `val` or `test_set`; None if it means none."""
    split, rest = _parse(name)
    return split if not rest else None


def splits_of(names: Iterable[str]) -> dict[str, str]:
    """Return the split of each name that means one.

    A name may have further words if another split's name has the same ones: `seg_train` and `seg_test`.
    """
    parsed = {name: _parse(name) for name in names}
    found = {}
    for name, (split, rest) in parsed.items():
        partners = {other for other, others_rest in parsed.values() if other and others_rest == rest}
        if split and (not rest or len(partners) > 1):
            found[name] = split
    return found


def parse_shares(text: str) -> tuple[float, ...]:
    """Return the two or three shares of `70/15/15`. Raises OperatorError for anything else."""
    try:
        shares = tuple(float(part) for part in text.split("/"))
    except ValueError:
        shares = ()
    if len(shares) not in (2, 3) or not all(math.isfinite(share) and share > 0 for share in shares):
        raise OperatorError(
            f"--split {text}: give the shares of train, valid and test, such as 70/15/15; or, if one of valid and test is "
            "missing, the shares of train and of that one, such as 80/20."
        )
    return shares


def shares_of(missing: list[str], shares: tuple[float, ...]) -> dict[str, float]:
    """Return the shares of train and the missing splits in what is divided now. Raises OperatorError for two splits of two.

    missing: splits without a folder, of valid and test.
    shares: as of `parse_shares`.
    """
    if len(shares) == 2:
        if len(missing) != 1:
            text = "/".join(f"{share:g}" for share in shares)
            raise OperatorError(
                f"--split {text} has two shares, and valid and test are both missing: give three, such as 70/15/15."
            )
        return dict(zip(("train", *missing), shares, strict=True))
    return {split: share for split, share in zip(SPLITS, shares, strict=True) if split in ("train", *missing)}


def assign(names: Iterable[str], shares: Mapping[str, float] = DEFAULT_SHARES) -> dict[str, str]:
    """Divide the images of one class by shares. Returns the split of each name, the same on every machine.

    Sorts by the hashes of the names: related images (frames of a film, pages of a writer) are spread, and a new image
    moves few others. Every split gets an image if there are as many images as splits.
    """
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
    total = sum(shares.values())
    splits: list[str] = []
    for split in ("test", "valid"):
        if split in shares:
            count = max(1, round(len(order) * shares[split] / total))
            splits += [split] * min(count, len(order) // len(shares))
    splits += ["train"] * (len(order) - len(splits))
    return dict(zip(order, splits, strict=True))


def _parse(name: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the split that one word of a name means, and its other words without fillers; no split if it is ambiguous."""
    words = re.findall(r"[a-z]+|[0-9]+", name.lower())  # train2017 has two
    found, rest = [], []
    for word in words:
        base = re.sub(rf"{_FILLERS}$", "", word)
        split = _SPLIT_OF.get(word) or _SPLIT_OF.get(base)
        if split:
            found.append(split)
        elif base:
            rest.append(word)
    return (found[0] if len(found) == 1 else None), tuple(rest)
