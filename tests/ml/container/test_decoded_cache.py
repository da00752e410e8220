"""The memory-mapped cache of decoded images."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import decoded_cache
from decoded_cache import DecodedCache, Encoded, create
from errors import InputError
from images import ImageError

SHAPE = {"count": 50, "channels": 3, "size": 4}


def decode(content: bytes) -> np.ndarray:
    """Return an image of one value; a content of zero is damaged."""
    if content == b"\0":
        raise ImageError("the PNG image is truncated")
    return np.full((3, 4, 4), content[0], np.uint8)


def items(indices) -> list[Encoded]:
    return [Encoded(int(i), f"cat/{i}.png", bytes([i + 1])) for i in indices]


def values(cache: DecodedCache) -> list[int]:
    assert (cache.images == cache.images[:, :1, :1, :1]).all()
    return cache.images[:, 0, 0, 0].tolist()


@settings(deadline=None, max_examples=30)
@given(first=st.sets(st.integers(0, 49)), decoders=st.integers(1, 4))
def test_a_resumed_cache_is_that_of_one_pass(tmp_path_factory, first, decoders):
    folder = tmp_path_factory.mktemp("cache")
    assert create(folder, **SHAPE).fill(items(first), decode, decoders) == len(first)
    cache = create(folder, **SHAPE)
    assert set(cache.missing().tolist()) == set(range(50)) - first
    assert cache.missing([3, 1, 3]).tolist() == [i for i in (1, 3) if i not in first]
    assert cache.fill(items(range(50)), decode, decoders) == 50 - len(first)
    assert values(cache) == [i + 1 for i in range(50)] and not len(cache.missing())


def test_a_cache_of_other_images_is_replaced(tmp_path):
    create(tmp_path, **SHAPE, key="a").fill(items(range(50)), decode, 1)
    assert len(create(tmp_path, **SHAPE, key="b").missing()) == 50
    assert len(create(tmp_path, 50, 1, 4, key="b").missing()) == 50
    (tmp_path / "key.json").write_text("{", encoding="utf-8")
    assert len(create(tmp_path, 50, 1, 4, key="b").missing()) == 50


def test_two_ranks_share_the_file(tmp_path):
    first, second = create(tmp_path, **SHAPE), create(tmp_path, **SHAPE)
    first.fill(items(range(0, 50, 2)), decode, 1)
    second.fill(items(range(1, 50, 2)), decode, 1)
    assert values(first) == values(second) == [i + 1 for i in range(50)] and not len(first.missing())


@pytest.mark.parametrize("decoders", [1, 3])
def test_a_damaged_image_is_named_and_the_others_are_kept(tmp_path, decoders, monkeypatch):
    monkeypatch.setattr(decoded_cache, "_FLUSH", 5)
    damaged = [*items(range(20)), Encoded(20, "dog/x.png", b"\0"), *items(range(21, 50))]
    cache = create(tmp_path, **SHAPE)
    with pytest.raises(InputError, match=r"^dog/x\.png: the PNG image is truncated$"):
        cache.fill(damaged, decode, decoders)
    kept = create(tmp_path, **SHAPE)
    assert set(range(20)).isdisjoint(kept.missing().tolist()) and 20 in kept.missing()


def test_a_file_that_is_gone_is_named(tmp_path):
    cache = create(tmp_path / "cache", **SHAPE)
    with pytest.raises(InputError, match=r"^cat/1\.png cannot be read: No such file"):
        cache.fill([Encoded(0, "cat/1.png", Path(tmp_path / "1.png"))], decode, 1)


def test_a_stream_is_read_only_a_few_images_ahead(tmp_path):
    read: list[int] = []

    def stream():
        for item in items(range(50)):
            read.append(item.index)
            yield item

    ahead = []
    create(tmp_path, **SHAPE).fill(stream(), decode, 2, progress=lambda done: ahead.append(len(read) - done))
    assert read == list(range(50)) and max(ahead) <= 2 * decoded_cache._AHEAD


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(40 * 2**30, 0, 11 * 2**30))
    with pytest.raises(InputError, match=r"need 183\.1 GiB .* room for 10\.0 GiB: .* at least 174 higher"):
        create(tmp_path, 1_000_000, 3, 256)
    assert list(tmp_path.iterdir()) == []
