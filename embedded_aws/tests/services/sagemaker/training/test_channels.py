"""Downloads of input channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded_aws.services.sagemaker.training import channels
from training_kit import SimulatedObjects


def fetch(objects: dict[str, bytes], uri: str, folders: list[Path], **source: str) -> list[list[str]]:
    channel = {
        "ChannelName": "train",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}},
    }
    channels.download(SimulatedObjects(objects), channel, folders, "role", "us-east-1", lambda: False)
    return [sorted(str(p.relative_to(f)) for p in f.rglob("*") if p.is_file()) for f in folders]


def test_keys_become_paths_below_the_prefix(tmp_path: Path) -> None:
    objects = {"d/train/": b"", "d/train/a/1.png": b"1", "d/train/2.png": b"2", "d/valid/3.png": b"3"}
    assert fetch(objects, "s3://b/d/train", [tmp_path]) == [["2.png", "a/1.png"]]
    assert (tmp_path / "a/1.png").read_bytes() == b"1"
    assert fetch(objects, "s3://b/d/train/2.png", [tmp_path / "one"]) == [["2.png"]]


def test_uris_are_no_urls(tmp_path: Path) -> None:
    objects = {"d#1/a#b.txt": b"1", "d#1/c?d.txt": b"2", "d#1/e%41.txt": b"3", "d": b"", "d#1/a": b""}
    assert fetch(objects, "s3://b/d#1/a#b.txt", [tmp_path / "one"]) == [["a#b.txt"]]
    assert fetch(objects, "s3://b/d#1/c?", [tmp_path / "two"]) == [["d.txt"]]
    objects["m#.json"] = b'[{"prefix": "s3://b/d#1/"}, "e%41.txt"]'
    assert fetch(objects, "s3://b/m#.json", [tmp_path / "three"], S3DataType="ManifestFile") == [["e%41.txt"]]


def test_manifest_lists_the_objects(tmp_path: Path) -> None:
    manifest = b'[{"prefix": "s3://b/d/"}, "train/1.png"]'
    objects = {"m.json": manifest, "d/train/1.png": b"1", "d/train/2.png": b"2"}
    assert fetch(objects, "s3://b/m.json", [tmp_path], S3DataType="ManifestFile") == [["train/1.png"]]
    objects["m.json"] = b"{}"
    with pytest.raises(channels.JobFailure, match="is not a manifest"):
        fetch(objects, "s3://b/m.json", [tmp_path], S3DataType="ManifestFile")


def test_key_cannot_leave_its_channel(tmp_path: Path) -> None:
    with pytest.raises(channels.JobFailure, match="leaves its channel"):
        fetch({"d/../../escaped": b"x"}, "s3://b/d/", [tmp_path / "in"])
    assert not (tmp_path.parent / "escaped").exists()


def test_instances_get_all_objects_or_their_shard(tmp_path: Path) -> None:
    objects = {f"d/{number}": b"x" for number in range(5)}
    folders = [tmp_path / "1", tmp_path / "2"]
    assert fetch(objects, "s3://b/d/", folders) == [["0", "1", "2", "3", "4"]] * 2
    folders = [tmp_path / "3", tmp_path / "4"]
    sharded = fetch(objects, "s3://b/d/", folders, S3DataDistributionType="ShardedByS3Key")
    assert sharded == [["0", "2", "4"], ["1", "3"]]
