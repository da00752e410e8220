"""Images of different splits that look the same."""

from __future__ import annotations

import functools
import io
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from ml.jobs.data import near_duplicates, problems, validate
from ml.jobs.data.manifest import manifest
from ml.jobs.data.near_duplicates import MAX_DISTANCE, Pair, find, perceptual_hash
from ml.jobs.data.seen import NearDuplicate
from tests.ml.jobs.data.pictures import pictures


@functools.cache
def scene(seed: int, size: tuple[int, int] = (500, 375)) -> Image.Image:
    """Return a picture with shapes of all sizes, as photographs have."""
    noise = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(noise.integers(0, 256, (n, n, 3), dtype="uint8")).resize(
                size, Image.Resampling.BICUBIC
            )
        )
        for n in (4, 8, 16, 64)
    ]
    return Image.fromarray(np.average(layers, axis=0, weights=(8, 4, 2, 1)).astype("uint8"))


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


CHANGES = {
    "smaller": lambda image: image.resize((320, 240), Image.Resampling.LANCZOS),
    "larger": lambda image: image.resize((1000, 750), Image.Resampling.BICUBIC),
    "compressed": lambda image: recompressed(image, 30),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "gray": lambda image: image.convert("L"),
    "rows": lambda image: image.crop((2, 2, 498, 373)),
}


def distance(one: Image.Image, other: Image.Image) -> int:
    first, second = perceptual_hash(one), perceptual_hash(other)
    assert first is not None and second is not None
    return (first ^ second).bit_count()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_picture_looks_the_same(change):
    images = [scene(seed) for seed in range(8)]
    distances = [distance(image, change(image)) for image in images]
    assert sum(d <= MAX_DISTANCE for d in distances) >= 7, distances


def test_other_pictures_look_different():
    hashes = [perceptual_hash(scene(seed)) for seed in range(30)]
    distances = [(a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(distances) > MAX_DISTANCE


@pytest.mark.parametrize(
    "image", [Image.new("RGB", (100, 100), "white"), scene(0, (31, 80))], ids=["empty", "small"]
)
def test_empty_and_small_pictures_are_not_compared(image):
    assert perceptual_hash(image) is None


def all_pairs(hashes: list[int], splits: list[int]) -> set[tuple[int, int, int]]:
    """Return what `find` must find, by comparing all: values and not positions, as one of equal images stands for all."""
    return {
        (hashes[i], hashes[j], (hashes[i] ^ hashes[j]).bit_count())
        for i in range(len(hashes))
        for j in range(len(hashes))
        if splits[i] < splits[j] and (hashes[i] ^ hashes[j]).bit_count() <= MAX_DISTANCE
    }


BITS = st.sets(st.integers(0, 63), max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), BITS, st.integers(0, 2)), max_size=25))
def test_pairs_are_those_of_comparing_all(images):
    base = [0, 2**64 - 1, 0xF0F0_1234_0000_FFFF, 0x1111_2222_3333_4444]
    hashes = [base[b] ^ sum(1 << bit for bit in bits) for b, bits, _ in images]
    splits = [split for _, _, split in images]
    found = find(np.array(hashes, np.uint64), np.array(splits, np.uint8))
    assert {(hashes[p.first], hashes[p.second], p.distance) for p in found} == all_pairs(hashes, splits)
    assert all(splits[p.first] < splits[p.second] for p in found)
    assert [p.distance for p in found] == sorted(p.distance for p in found)


def test_many_images_are_compared_in_little_time():
    noise = np.random.default_rng(0)
    hashes = noise.integers(0, 2**64, 200_000, np.uint64)
    hashes[199_999] = hashes[5] ^ np.uint64(0b1011)
    splits = np.zeros(200_000, np.uint8)
    splits[150_000:] = 2
    began = time.process_time()
    assert find(hashes, splits) == [Pair(5, 199_999, 3)]
    assert time.process_time() - began < 10  # comparing all of them would be 7.5 billion comparisons


def test_equal_hashes_of_many_images_are_one_pair():
    hashes = np.zeros(50_000, np.uint64)
    assert find(hashes, np.arange(50_000, dtype=np.uint8) % 2) == [Pair(0, 1, 0)]
    assert find(hashes, np.zeros(50_000, np.uint8)) == []


@pytest.fixture
def pets(tmp_path):
    """Three classes; train/cat/0.jpg is in the test split too, smaller and compressed again."""
    names = [
        f"{split}/{name}/{n}.jpg"
        for split in ("train", "valid", "test")
        for name in ("cat", "dog")
        for n in (0, 1)
    ]
    root = pictures(tmp_path / "pets", names, size=(40, 40))
    scene(1).save(root / "train/cat/0.jpg")
    scene(1).resize((250, 190)).save(root / "test/dog/9.jpg", quality=60)
    return root


def test_near_duplicates_are_reported_and_are_no_problem(pets):
    report = validate(pets)
    assert report.problems == []
    [pair] = report.near_duplicates
    assert (pair.first, pair.second) == (
        "train/cat/0.jpg",
        "test/dog/9.jpg",
    ) and pair.distance <= MAX_DISTANCE
    document = json.loads(json.dumps(problems.document(manifest(pets), report.near_duplicates)))
    assert document["near_duplicates"] == [
        {"first": "train/cat/0.jpg", "second": "test/dog/9.jpg", "distance": pair.distance}
    ]
    assert document["class_counts"]["test"] == {"cat": 2, "dog": 3}
    assert document["imbalance"] == {"largest": 2, "smallest": 2, "ratio": 1.0}
    assert "1 pair of images look the same in different splits" in problems.sentence(report.near_duplicates)


def test_images_that_are_left_out_are_no_near_duplicates(pets):
    (pets / "train/dog/9.jpg").write_bytes((pets / "train/cat/0.jpg").read_bytes())  # a contradiction
    report = validate(pets)
    assert {problem.kind for problem in report.problems} == {"contradiction"} and report.near_duplicates == []


def test_the_sentence_has_the_first_pairs_and_the_number_of_others():
    pairs = [NearDuplicate(f"train/a/{n}", f"test/a/{n}", 0) for n in range(1234)]
    text = problems.sentence(pairs)
    assert text.startswith("1,234 pairs") and "train/a/2 and test/a/2, and 1,231 more." in text
    assert problems.sentence([]) == ""
    assert near_duplicates.MIN_SIDE == 32
