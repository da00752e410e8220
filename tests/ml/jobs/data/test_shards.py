"""Which images are in which shard, and the bytes of a shard."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import time

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ml.jobs.data import shards
from ml.jobs.data.entries import ImageEntry

SIZES = st.dictionaries(
    st.tuples(st.sampled_from(["train", "valid"]), st.text("abc.%", min_size=1, max_size=6)).map(
        lambda pair: f"{pair[0]}/cat/{pair[1]}"
    ),
    st.integers(1, 40_000),
    min_size=1,
    max_size=40,
)
LIMIT = 50_000


def entries(sizes: dict[str, int]) -> dict[str, ImageEntry]:
    return {key: ImageEntry(hashlib.sha256(key.encode()).hexdigest(), size) for key, size in sizes.items()}


def plans(files: dict[str, ImageEntry]) -> dict[str, str]:
    return {plan.key: plan.digest for plan in shards.plan(files, LIMIT)}


def jpeg(value: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 8), (value, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


@settings(deadline=None)
@given(SIZES)
def test_every_image_is_in_one_shard_of_its_split_and_no_shard_is_too_large(sizes):
    files = entries(sizes)
    found = shards.plan(files, LIMIT)
    assert sorted(key for plan in found for key in plan.keys) == sorted(files)
    assert len({plan.key for plan in found}) == len(found)
    for plan in found:
        assert {key.split("/")[0] for key in plan.keys} == {plan.split}
        assert len(plan.keys) == 1 or sum(sizes[key] + 2048 for key in plan.keys) <= LIMIT


@settings(deadline=None)
@given(SIZES, st.data())
def test_the_order_in_which_images_are_found_changes_nothing(sizes, data):
    files = entries(sizes)
    shuffled = dict(data.draw(st.permutations(list(files.items()))))
    assert plans(shuffled) == plans(files)


@settings(deadline=None)
@given(SIZES, st.integers(1, 40_000))
def test_an_added_image_writes_one_shard_or_divides_one(sizes, size):
    files = entries(sizes)
    before, after = plans(files), plans({**files, **entries({"train/cat/new": size})})
    new = {key for key, digest in after.items() if before.get(key) != digest}
    gone = before.keys() - after.keys()
    # What is divided is divided until the parts are small enough: all of them come from one shard.
    assert len(gone) <= 1 and (len(new) == 1 or len(gone) == 1)
    names = [name.removesuffix(".tar") for name in new]
    assert all(
        name.startswith(key.removesuffix("all.tar").removesuffix(".tar")) for key in gone for name in names
    )


def test_a_changed_image_changes_the_digest_of_its_shard_only():
    files = entries({f"train/cat/{number}": 10_000 for number in range(50)})
    changed = {**files, "train/cat/7": ImageEntry("0" * 64, 10_000)}
    before, after = plans(files), plans(changed)
    assert before.keys() == after.keys() and sum(before[key] != after[key] for key in before) == 1


@given(st.lists(st.text("ab.%25E2jpg", min_size=1, max_size=8), unique=True))
def test_sample_names_are_unique_and_have_no_dot(files):
    names = [shards.sample_name(file, "jpg") for file in files]
    assert len(set(names)) == len(files) and not any("." in name for name in names)


FILES = {
    "train/cat/a.jpg": jpeg(1),
    "train/cat/b.c.JPG": jpeg(2),
    "train/St. Bernard/é 1.png": jpeg(3, "PNG"),
    "train/cat/" + "x" * 150 + ".webp": jpeg(4, "WEBP"),
}


def test_webdataset_reads_a_shard(tmp_path):
    path = tmp_path / "train-all.tar"
    path.write_bytes(shards.tar(FILES, FILES.__getitem__))
    read = {}
    for sample in webdataset.WebDataset(str(path), shardshuffle=False):
        about = json.loads(sample["json"])
        [content] = [value for name, value in sample.items() if name in ("jpg", "png", "webp")]
        assert sample["__key__"].split("/")[0] == about["class"]
        read[f"train/{about['class']}/{about['file']}"] = content
    assert read == FILES


def test_equal_images_give_equal_bytes(monkeypatch):
    first = shards.tar(FILES, FILES.__getitem__)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert shards.tar(FILES, FILES.__getitem__) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as opened:
        assert {(info.mtime, info.uid, info.uname, info.mode) for info in opened} == {(0, 0, "", 0o644)}


def test_the_index_is_that_of_wids():
    shard = shards.Shard("train", "train-0.tar", "d", 3, 10240, "ab", '"e"')
    document = json.loads(shards.index("pets", "train", [shard], {"cat": 3}))
    assert document["shardlist"] == [{"url": "train-0.tar", "nsamples": 3, "filesize": 10240, "sha256": "ab"}]
    assert document["wids_version"] == 1 and document["classes"] == {"cat": 3}


def test_names_are_in_the_order_of_the_shards():
    found = shards.plan(entries({f"train/cat/{number}": 30_000 for number in range(4)}), LIMIT)
    lines = gzip.decompress(shards.names(found)).decode().split("\n")
    assert lines == [key.removeprefix("train/") for plan in found for key in plan.keys] + [""]


@pytest.mark.parametrize("count", [1, 5])
def test_one_image_is_never_divided(count):
    files = entries({f"train/cat/{number}": 10 * LIMIT for number in range(count)})
    assert [len(plan.keys) for plan in shards.plan(files, LIMIT)] == [1] * count
