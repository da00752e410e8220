"""The upload of a data set: incremental, encrypted, and the manifest always matches the bucket."""

import json
import shutil
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ml.jobs.data import current, journal, manifest, upload
from ml.jobs.data.manifest import Manifest
from ops import s3
from ops.environment import Environment
from ops.errors import OperatorError
from tests.conftest import BUCKET, Account


@pytest.fixture
def env(moto_aws, dev, foundation, fast_clock):
    """Environment dev with a versioned bucket and no data. Its clients are its own: tests add handlers to them."""
    dev = Environment(dev.settings, boto3.Session("test", "test", region_name="us-east-1"))
    dev.client("s3").create_bucket(Bucket=BUCKET)
    dev.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    Account(dev).publish("foundation", foundation.model_dump())
    return dev


@pytest.fixture
def bucket(env):
    """The S3 client of the environment."""
    return env.client("s3")


@pytest.fixture
def pets(tmp_path) -> Path:
    root = tmp_path / "pets"
    for split in ("train", "valid", "test"):
        for name in ("cat", "dog"):
            for number in range(4):
                path = root / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(f"{split} {name} {number}".encode())
    return root


def send(root: Path, env, **options):
    return upload(env, manifest(root), **options)


def keys(bucket) -> set[str]:
    return {entry["Key"] for entry in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def stop_at(bucket, number: int, error: BaseException) -> None:
    """Let the images be put until the number-th, then raise an error once."""
    seen = []

    def handler(params, **_):
        if params["url_path"].endswith(".png"):
            seen.append(1)
            if len(seen) == number:
                raise error

    bucket.meta.events.register("before-call.s3.PutObject", handler)


def test_upload_writes_images_manifest_and_pointer(env, bucket, pets):
    seen = []
    result = send(pets, env, progress=lambda *report: seen.append(report))
    assert (result.sent, result.unchanged, result.deleted) == (24, 0, 0)
    assert result.sent_bytes == sum(p.stat().st_size for p in pets.rglob("*.png"))
    images = {f"datasets/pets/{p.relative_to(pets).as_posix()}" for p in pets.rglob("*.png")}
    assert keys(bucket) == images | {"datasets/pets/manifest.json", "datasets/current.json"}
    pointer = json.loads(bucket.get_object(Bucket=BUCKET, Key="datasets/current.json")["Body"].read())
    assert pointer == {
        "dataset": "pets",
        "manifest_key": "datasets/pets/manifest.json",
        "hash": result.manifest.hash,
    }
    stored = json.loads(bucket.get_object(Bucket=BUCKET, Key=pointer["manifest_key"])["Body"].read())
    assert stored["classes"] == ["cat", "dog"] and stored["counts"]["test"] == {"cat": 4, "dog": 4}
    assert seen[-1] == ("uploading", 24, 24)
    assert current(env) == result.manifest


def test_every_object_is_encrypted_with_the_environment_s_key(env, bucket, foundation, pets):
    send(pets, env)
    for key in keys(bucket):
        head = bucket.head_object(Bucket=BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", foundation.kms_key_arn), key
    assert (
        bucket.head_object(Bucket=BUCKET, Key="datasets/pets/train/cat/0.png")["ContentType"] == "image/png"
    )


def test_changed_images_are_sent_and_removed_ones_deleted(env, bucket, pets):
    first = send(pets, env)
    assert (send(pets, env).sent, send(pets, env).unchanged) == (0, 24)
    (pets / "train/cat/0.png").write_bytes(b"new content")
    (pets / "train/cat/9.png").write_bytes(b"new file")
    (pets / "test/dog/3.png").unlink()
    result = send(pets, env)
    assert (result.sent, result.unchanged, result.deleted) == (2, 22, 1)
    assert "datasets/pets/test/dog/3.png" not in keys(bucket)
    assert result.manifest.hash != first.manifest.hash and current(env).hash == result.manifest.hash


def test_the_bucket_decides_what_is_sent_not_the_manifest(env, bucket, pets):
    send(pets, env)
    bucket.delete_object(Bucket=BUCKET, Key="datasets/pets/train/cat/0.png")
    bucket.put_object(Bucket=BUCKET, Key="datasets/pets/train/cat/1.png", Body=b"train cat X")  # same size
    assert send(pets, env).sent == 2
    body = bucket.get_object(Bucket=BUCKET, Key="datasets/pets/train/cat/1.png")["Body"].read()
    assert body == b"train cat 1"


def test_other_data_sets_and_prefixes_are_not_touched(env, bucket, pets):
    bucket.put_object(Bucket=BUCKET, Key="datasets/pets-2/train/a/1.png", Body=b"x")
    bucket.put_object(Bucket=BUCKET, Key="training/job/output/model.tar.gz", Body=b"x")
    send(pets, env)
    assert {"datasets/pets-2/train/a/1.png", "training/job/output/model.tar.gz"} <= keys(bucket)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ClientError({"Error": {"Code": "500"}}, "PutObject")])
def test_an_interrupted_upload_is_resumed(env, bucket, pets, error):
    stop_at(bucket, 10, error)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OperatorError
    with pytest.raises(expected):
        send(pets, env)
    with pytest.raises(OperatorError, match=r"Environment dev has no data: run \./inv data --env dev first"):
        current(env)
    stored = len([key for key in keys(bucket) if key.endswith(".png")])
    assert 0 < stored < 24
    result = send(pets, env)
    assert result.unchanged == stored and result.sent == 24 - stored
    assert current(env).hash == manifest(pets).hash
    assert not any("in-progress" in key for key in keys(bucket))


def test_a_partly_replaced_data_set_is_refused_until_it_is_complete(env, bucket, pets):
    send(pets, env)
    for path in pets.rglob("*.png"):
        path.write_bytes(path.read_bytes() + b", second edition")
    stop_at(bucket, 5, ClientError({"Error": {"Code": "503", "Message": "Slow Down"}}, "PutObject"))
    with pytest.raises(OperatorError, match=r"PutObject in bucket .* failed with 503 \(Slow Down\)"):
        send(pets, env)
    with pytest.raises(
        OperatorError, match=r"upload of data set pets .* was interrupted: run \./inv data --env dev again"
    ):
        current(env)
    send(pets, env)
    assert current(env).hash == manifest(pets).hash


def test_an_interrupted_upload_does_not_change_the_current_data_set(env, bucket, pets, tmp_path):
    send(pets, env)
    shutil.copytree(pets, tmp_path / "zoo")
    stop_at(bucket, 5, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        send(tmp_path / "zoo", env)
    assert current(env).dataset == "pets"


def test_the_journal_is_rewritten_while_images_are_sent(env, bucket, pets, monkeypatch):
    """Another command takes a silent upload for an interrupted one; converting an image takes seconds."""
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.001)
    written = []
    bucket.meta.events.register(
        "before-call.s3.PutObject",
        lambda params, **_: written.append(params["url_path"].rpartition("/")[2]),
    )
    send(pets, env)
    last = max(index for index, name in enumerate(written) if name.endswith(".png"))
    assert written[:last].count("upload-in-progress.json") > 1
    assert not any("in-progress" in key for key in keys(bucket))
    assert current(env).hash == manifest(pets).hash


def test_the_order_of_writes_makes_every_interruption_visible(env, bucket, pets):
    """No code runs after kill -9: only the order of writes protects the reader."""
    calls: list[str] = []
    bucket.meta.events.register(
        "before-call.s3",
        lambda model, params, **_: calls.append(f"{model.name} {params['url_path'].split('/')[-1]}"),
    )
    send(pets, env)
    writes = [call for call in calls if call.startswith(("Put", "Delete"))]
    assert writes[0] == "PutObject upload-in-progress.json"
    assert all(".png" in call for call in writes[1:25])
    assert writes[25:-1] == ["PutObject manifest.json", "PutObject current.json"]
    assert writes[-1].startswith("DeleteObjects") and "datasets/pets/upload-in-progress.json" not in keys(
        bucket
    )


def before_first(bucket, operation: str, action) -> None:
    """Call a function before the first request of an operation."""
    calls = []

    def handler(**_):
        calls.append(1)
        if len(calls) == 1:
            action()

    bucket.meta.events.register(f"before-call.s3.{operation}", handler)


@pytest.fixture
def other(env) -> Environment:
    """The environment of another command."""
    return Environment(env.settings, boto3.Session("test", "test", region_name="us-east-1"))


def test_of_two_uploads_at_once_the_second_waits_and_sends_nothing(env, other, bucket, pets):
    # The other one runs as a whole while this one is about to create its journal.
    done = []

    def upload_everything() -> None:
        done.append(send(pets, other))
        other.client("s3").put_object(Bucket=BUCKET, Key="datasets/pets/upload-in-progress.json", Body=b"{}")

    before_first(bucket, "PutObject", upload_everything)
    result = send(pets, env)
    assert done[0].sent == 24
    assert (result.sent, result.unchanged) == (0, 24)
    assert current(env).hash == manifest(pets).hash


def test_readers_wait_for_an_upload_that_is_running(env, other, pets, bucket, fast_clock):
    send(pets, env)
    journal = {"Bucket": BUCKET, "Key": "datasets/pets/upload-in-progress.json"}
    bucket.put_object(**journal, Body=b"{}")
    polls = []

    def write_or_end(**_) -> None:
        polls.append(1)
        if len(polls) > 40:
            other.client("s3").delete_object(**journal)
        elif len(polls) % 5 == 0:
            other.client("s3").put_object(**journal, Body=str(len(polls)).encode())

    bucket.meta.events.register("before-call.s3.ListObjectsV2", write_or_end)
    assert current(env).hash == manifest(pets).hash
    assert sum(fast_clock) > 12


def test_a_damaged_manifest_is_replaced(env, bucket, pets):
    send(pets, env)
    bucket.put_object(Bucket=BUCKET, Key="datasets/pets/manifest.json", Body=b'{"files": ')
    with pytest.raises(OperatorError, match="damaged"):
        current(env)
    assert send(pets, env).sent == 24
    bucket.put_object(Bucket=BUCKET, Key="datasets/current.json", Body=b"[]")
    with pytest.raises(OperatorError, match="damaged"):
        current(env)


def test_a_file_that_changes_during_the_upload_is_not_sent_under_the_old_hash(env, bucket, pets):
    before = manifest(pets)
    (pets / "train/cat/0.png").write_bytes(b"changed")
    with pytest.raises(OperatorError, match=r"train/cat/0\.png changed while"):
        upload(env, before)
    (pets / "train/cat/0.png").unlink()
    with pytest.raises(OperatorError, match=r"0\.png could not be read"):
        upload(env, before)


def test_missing_data_bucket_and_connection_are_reported(env, bucket, pets):
    with pytest.raises(OperatorError, match=r"Environment dev has no data: run \./inv data --env dev first"):
        current(env)
    stop_at(bucket, 1, EndpointConnectionError(endpoint_url="https://s3"))
    with pytest.raises(OperatorError, match="could not be reached"):
        send(pets, env)
    for key in keys(bucket):
        bucket.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}]})
    for kind in ("Versions", "DeleteMarkers"):
        for item in bucket.list_object_versions(Bucket=BUCKET).get(kind, []):
            bucket.delete_object(Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"])
    bucket.delete_bucket(Bucket=BUCKET)
    with pytest.raises(
        OperatorError, match=rf"Bucket {BUCKET} does not exist: run \./inv apply --stack foundation --env dev"
    ):
        send(pets, env)


def test_more_stale_keys_than_one_request_deletes_are_deleted(env, bucket, pets, monkeypatch):
    monkeypatch.setattr(s3, "DELETE_LIMIT", 3)
    send(pets, env)
    shutil.rmtree(pets / "train" / "dog")
    shutil.rmtree(pets / "valid" / "dog")
    assert send(pets, env).deleted == 8
    assert len([key for key in keys(bucket) if key.endswith(".png")]) == 16


def test_a_manifest_is_read_back_unless_it_was_changed(pets):
    made = manifest(pets)
    assert Manifest.from_json(made.to_json()) == made
    tampered = made.to_json().replace("train/cat/0.png", "train/cat/x.png")
    for text in (tampered, "[]", "{}", '{"dataset": "a", "files": {"x": {}}, "hash": ""}'):
        with pytest.raises(OperatorError, match="damaged"):
            Manifest.from_json(text)


def test_the_hash_depends_only_on_names_and_contents(pets, tmp_path):
    first = manifest(pets).hash
    shutil.copytree(pets, tmp_path / "elsewhere")
    assert manifest(tmp_path / "elsewhere").hash == first
    (tmp_path / "elsewhere/train/cat/0.png").write_bytes(b"other")
    assert manifest(tmp_path / "elsewhere").hash != first


def test_an_object_that_s3_does_not_delete_is_an_error(env, bucket, pets, monkeypatch):
    send(pets, env)
    (pets / "train/cat/0.png").unlink()
    answer = {"Errors": [{"Key": "datasets/pets/train/cat/0.png", "Code": "AccessDenied", "Message": "no."}]}
    monkeypatch.setattr(bucket, "delete_objects", lambda **_: answer)
    with pytest.raises(
        OperatorError, match=rf"did not delete .*0\.png in bucket {BUCKET} \(AccessDenied: no\)"
    ):
        send(pets, env)
