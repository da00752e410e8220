"""Reading shards, as `./inv data` writes them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from errors import InputError
from shards import INDEX, NAMES, is_sharded, open_shards
from tests.ml.container.shard_kit import write_shards
from tests.ml.jobs.data.pictures import pictures

IMAGES = [f"train/{label}/{n}.png" for label in ("cat", "St. Bernard") for n in range(9)]
ODD = ["train/cat/a.b.PNG", "train/cat/no suffix", "train/cat/100%.png", "train/cat/é.png"]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return pictures(tmp_path_factory.mktemp("pets"), [*IMAGES, *ODD], format="PNG")


@pytest.fixture
def channel(source, tmp_path) -> Path:
    """A channel with a few shards, as it is in S3."""
    for split in ("valid", "test"):
        (source / split / "cat").mkdir(parents=True, exist_ok=True)
    folder = write_shards(source, tmp_path, 20_000) / "train"
    assert len(list(folder.glob("*.tar"))) > 2
    return folder


def everything(folder: Path, **options) -> dict[int, tuple[str, bytes]]:
    opened = open_shards("train", folder)
    wanted = range(len(opened.names))
    return {item.index: (item.name, item.read()) for item in opened.read(wanted, **options)}


def test_images_are_those_of_the_folder_in_its_order(source, channel):
    files = [
        path
        for folder in sorted((source / "train").iterdir(), key=lambda path: path.name)
        for path in sorted(folder.iterdir())
    ]
    expected = {i: (f"{path.parent.name}/{path.name}", path.read_bytes()) for i, path in enumerate(files)}
    assert everything(channel) == expected
    assert open_shards("train", channel).names == tuple(name for name, _ in expected.values())
    assert is_sharded(channel) and not is_sharded(source / "train")


@pytest.mark.parametrize("ranks", [2, 3, 50])
def test_ranks_read_different_shards_and_all_of_them(channel, ranks):
    parts = [everything(channel, rank=rank, ranks=ranks) for rank in range(ranks)]
    assert sum(map(len, parts)) == 22
    assert {index: item for part in parts for index, item in part.items()} == everything(channel)


def test_a_shard_without_a_wanted_image_is_not_opened(channel):
    opened = open_shards("train", channel)
    first, *others = opened.shards
    for shard in others:
        shard.path.unlink()
    wanted = opened.positions[: first.count]
    assert {item.index for item in opened.read(wanted)} == set(wanted)
    assert [item.index for item in opened.read([wanted[1]])] == [wanted[1]]


def test_a_truncated_shard_is_refused(channel):
    shard = open_shards("train", channel).shards[-1].path
    shard.write_bytes(shard.read_bytes()[:1500])
    with pytest.raises(InputError, match=rf"shard {shard.name} of channel 'train' .*run \./inv data again"):
        everything(channel)


def test_a_missing_shard_is_refused(channel):
    shard = open_shards("train", channel).shards[0].path
    shard.unlink()
    with pytest.raises(InputError, match=rf"shard {shard.name} of channel 'train' cannot be read"):
        everything(channel)


def test_the_shard_of_other_images_is_refused(channel):
    first, second, *_ = open_shards("train", channel).shards
    shutil.copy(second.path, first.path)
    with pytest.raises(InputError, match=rf"shard {first.path.name} .* which its index does not have"):
        everything(channel)


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"\x1f\x8b", b'{"shardlist": [{"url": "x.tar", "nsamples": 3}]}']
)
@pytest.mark.parametrize("name", [INDEX, NAMES])
def test_a_damaged_index_is_refused(channel, name, damage):
    (channel / name).write_bytes(damage)
    with pytest.raises(
        InputError, match=r"index or the names of the shards of channel 'train' cannot be read"
    ):
        open_shards("train", channel)


def test_the_index_leads_to_no_other_folder(channel):
    document = json.loads((channel / INDEX).read_bytes())
    document["shardlist"][0]["url"] = "../../elsewhere/x.tar"
    (channel / INDEX).write_text(json.dumps(document))
    assert open_shards("train", channel).shards[0].path == channel / "x.tar"
