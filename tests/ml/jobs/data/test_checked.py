"""Images that were checked before are not decoded again."""

from __future__ import annotations

import sqlite3

import pytest

from ml.container import images
from ml.jobs.data import checked, validate
from ml.jobs.data.checked import CheckedImages, Pixels


@pytest.fixture
def decoded(monkeypatch) -> list[bytes]:
    """The images that were decoded so far."""
    seen: list[bytes] = []
    real = images.decode_image

    def decode(content, *options):
        seen.append(content)
        return real(content, *options)

    monkeypatch.setattr(images, "decode_image", decode)
    return seen


def test_a_second_check_decodes_only_what_is_new_or_bad(tree, tmp_path, decoded):
    cache = tmp_path / "checked.sqlite"
    (tree / "train/cat/bad.jpg").write_bytes(b"no image")
    first = validate(tree, cache=cache)
    assert len(decoded) == 28
    decoded.clear()
    again = validate(tree, cache=cache)
    assert decoded == [b"no image"] and again == first
    new = (tree / "train/cat/0.png").read_bytes()
    (tree / "train/cat/0.png").write_bytes((tree / "train/cat/1.jpg").read_bytes())
    decoded.clear()
    validate(tree, cache=cache)
    assert decoded == [b"no image"] and new not in decoded


@pytest.mark.parametrize("change", ["damaged", "another decoder"])
def test_a_cache_that_cannot_be_used_is_made_again(tree, tmp_path, decoded, change, monkeypatch):
    cache = tmp_path / "checked.sqlite"
    validate(tree, cache=cache)
    decoded.clear()
    if change == "damaged":
        cache.write_bytes(b"no database" * 1000)
    else:
        monkeypatch.setattr(checked, "_version", lambda: 7)
    validate(tree, cache=cache)
    assert len(decoded) == 27


@pytest.mark.parametrize("perceptual", [None, 0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_what_is_added_is_read_back(tmp_path, perceptual):
    path = tmp_path / "checked.sqlite"
    pixels = Pixels(b"\0\1" * 8, perceptual)
    known = CheckedImages(path)
    known.add("ab" * 32, pixels)
    known.close()
    known = CheckedImages(path)
    assert known.get("ab" * 32) == pixels and known.get("cd" * 32) is None
    known.close()
    assert sqlite3.connect(path).execute("SELECT COUNT(*) FROM images").fetchone() == (1,)
