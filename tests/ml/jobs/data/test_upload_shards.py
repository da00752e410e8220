"""The upload of a data set in shards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from ml.jobs.data import contents, current, manifest, upload
from ops.environment import Environment
from ops.errors import OperatorError
from tests.conftest import BUCKET, Account
from tests.environments import with_settings
from tests.ml.jobs.data.pictures import SPLITS, picture, pictures

PREFIX = "datasets/pets/"


@pytest.fixture
def env(moto_aws, dev, foundation, fast_clock, monkeypatch):
    """Environment dev with a bucket and no data, in which every set is stored in shards of about 20 kB."""
    monkeypatch.setattr(contents, "EXAMPLES", 4)
    dev = Environment(dev.settings, boto3.Session("test", "test", region_name="us-east-1"))
    dev.client("s3").create_bucket(Bucket=BUCKET)
    Account(dev).publish("foundation", foundation.model_dump())
    return with_settings(dev, data={"shards": "always", "shard_megabytes": 1})


@pytest.fixture
def pets(tmp_path) -> Path:
    """Twelve pictures of two classes in each split, of 250 kB each."""
    names = [f"{split}/{name}/{n}.png" for split in SPLITS for name in ("cat", "dog") for n in range(6)]
    return pictures(tmp_path / "pets", names, size=(290, 290), compress_level=0)


def send(root: Path, env, **options):
    return upload(env, manifest(root), **options)


def objects(env) -> dict[str, str]:
    listed = env.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["Contents"]
    return {entry["Key"].removeprefix(PREFIX): entry["ETag"] for entry in listed}


def shards_of(env) -> dict[str, str]:
    return {key: etag for key, etag in objects(env).items() if key.endswith(".tar")}


def body(env, key: str) -> bytes:
    return env.client("s3").get_object(Bucket=BUCKET, Key=f"{PREFIX}{key}")["Body"].read()


def test_images_are_in_shards_and_a_few_are_objects_too(env, pets):
    local = manifest(pets)
    result = send(pets, env)
    found = current(env)
    assert found == result.manifest and found.shards is not None
    assert (found.hash, found.counts, found.classes) == (local.hash, local.counts, local.classes)
    assert {shard.split for shard in found.shards.shards} == set(SPLITS) and len(found.shards.shards) > 6
    singles = {key for key in objects(env) if key.endswith(".png")}
    assert singles == set(found.files) and len(singles) == 12  # two of each class in each split
    index = json.loads(body(env, "shards/train/index.json"))
    assert sum(shard["nsamples"] for shard in index["shardlist"]) == 12
    assert {f"shards/train/{shard['url']}" for shard in index["shardlist"]} == {
        key for key in shards_of(env) if key.startswith("shards/train/")
    }
    assert found.folder("train") == f"{PREFIX}shards/train/"


def test_a_second_upload_sends_nothing_and_an_added_image_one_shard(env, pets):
    first = send(pets, env)
    before = objects(env)
    again = send(pets, env)
    assert (again.sent, again.deleted, again.unchanged) == (0, 0, first.sent)
    assert objects(env) == before
    picture(pets / "train/cat/small.png", 99)
    result = send(pets, env)
    after = shards_of(env)
    changed = {key for key, etag in after.items() if before.get(key) != etag}
    assert len(changed) == 1 and changed.pop().startswith("shards/train/")
    assert result.sent <= 2 and current(env).counts["train"]["cat"] == 7  # it may be an example


def test_an_interrupted_upload_sends_the_other_shards_only(env, pets):
    sent = []

    def stop(params, **_):
        sent.append(params["url_path"])
        if sum(path.endswith(".tar") for path in sent) == 4:
            raise ClientError({"Error": {"Code": "500", "Message": "no"}}, "PutObject")

    events = env.client("s3").meta.events
    events.register("before-call.s3.PutObject", stop)
    with pytest.raises(OperatorError, match="failed with 500"):
        send(pets, env)
    events.unregister("before-call.s3.PutObject", stop)
    stored = len(shards_of(env))
    with pytest.raises(OperatorError):
        current(env)
    result = send(pets, env)
    assert 0 < stored <= result.unchanged
    assert current(env).hash == manifest(pets).hash
    assert not any("in-progress" in key for key in objects(env))


def test_a_lost_or_replaced_shard_or_index_is_sent_again(env, pets):
    send(pets, env)
    first, second = sorted(shards_of(env))[:2]
    env.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}{first}")
    env.client("s3").put_object(Bucket=BUCKET, Key=f"{PREFIX}{second}", Body=b"other")
    assert send(pets, env).sent == 2
    env.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}shards/valid/index.json")
    assert send(pets, env).sent == 0 and "shards/valid/index.json" in objects(env)


def test_shards_and_single_images_replace_each_other(env, pets):
    single = with_settings(env, data={"shards": "auto"})
    send(pets, single)
    assert len([key for key in objects(env) if key.endswith(".png")]) == 36 and not shards_of(env)
    few = with_settings(env, data={"shards": "auto", "shards_above_images": 35})
    send(pets, few)
    assert len([key for key in objects(env) if key.endswith(".png")]) == 12 and shards_of(env)
    send(pets, single)
    found = objects(env)
    assert len([key for key in found if key.endswith(".png")]) == 36
    assert not any(key.startswith("shards/") for key in found)
    assert current(env).shards is None


def test_a_manifest_whose_shards_lack_images_is_refused(env, pets):
    send(pets, env)
    document = json.loads(body(env, "manifest.json"))
    document["shards"].pop()
    env.client("s3").put_object(Bucket=BUCKET, Key=f"{PREFIX}manifest.json", Body=json.dumps(document))
    with pytest.raises(OperatorError, match="its counts do not match its shards"):
        current(env)
    shutil.rmtree(pets)
