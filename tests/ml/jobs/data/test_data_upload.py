"""upload and current: incremental, encrypted, and never a manifest that the bucket does not match."""

import json
import shutil
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from ml.jobs.data import PREFIX, current, manifest, upload
from ml.jobs.data.manifest import Manifest
from ops.errors import OperatorError

BUCKET, KEY = "image-classifier-test", "arn:aws:kms:eu-west-1:123456789012:key/data"


@pytest.fixture
def s3():
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=4, retries={"total_max_attempts": 1}),
        )
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


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


def send(root: Path, s3, **options):
    return upload(manifest(root), BUCKET, PREFIX, s3, KEY, **options)


def keys(s3) -> set[str]:
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def stop_at(s3, number: int, error: BaseException) -> None:
    """Let the picture puts through until the number-th, then raise error once."""
    seen = []

    def handler(params, **_):
        if params["url_path"].endswith(".png"):
            seen.append(1)
            if len(seen) == number:
                raise error

    s3.meta.events.register("before-call.s3.PutObject", handler)


def test_upload_leaves_pictures_manifest_and_pointer(s3, pets):
    seen = []
    result = send(pets, s3, progress=lambda *report: seen.append(report))
    assert (result.sent, result.unchanged, result.deleted) == (24, 0, 0)
    assert result.sent_bytes == sum(p.stat().st_size for p in pets.rglob("*.png"))
    pictures = {f"datasets/pets/{p.relative_to(pets).as_posix()}" for p in pets.rglob("*.png")}
    assert keys(s3) == pictures | {"datasets/pets/manifest.json", "datasets/current.json"}
    pointer = json.loads(s3.get_object(Bucket=BUCKET, Key="datasets/current.json")["Body"].read())
    assert pointer == {
        "dataset": "pets",
        "manifest_key": "datasets/pets/manifest.json",
        "hash": result.manifest.hash,
    }
    stored = json.loads(s3.get_object(Bucket=BUCKET, Key=pointer["manifest_key"])["Body"].read())
    assert stored["classes"] == ["cat", "dog"] and stored["counts"]["test"] == {"cat": 4, "dog": 4}
    assert seen[-1] == ("uploading", 24, 24)
    assert current(BUCKET, s3) == result.manifest


def test_every_object_is_encrypted_with_the_given_key(s3, pets):
    send(pets, s3)
    for key in keys(s3):
        head = s3.head_object(Bucket=BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KEY), key
    assert s3.head_object(Bucket=BUCKET, Key="datasets/pets/train/cat/0.png")["ContentType"] == "image/png"


def test_only_what_changed_is_sent_and_what_is_gone_is_deleted(s3, pets):
    first = send(pets, s3)
    assert (send(pets, s3).sent, send(pets, s3).unchanged) == (0, 24)
    (pets / "train/cat/0.png").write_bytes(b"new content")
    (pets / "train/cat/9.png").write_bytes(b"new file")
    (pets / "test/dog/3.png").unlink()
    result = send(pets, s3)
    assert (result.sent, result.unchanged, result.deleted) == (2, 22, 1)
    assert "datasets/pets/test/dog/3.png" not in keys(s3)
    assert result.manifest.hash != first.manifest.hash and current(BUCKET, s3).hash == result.manifest.hash


def test_the_bucket_is_believed_not_the_manifest(s3, pets):
    send(pets, s3)
    s3.delete_object(Bucket=BUCKET, Key="datasets/pets/train/cat/0.png")
    s3.put_object(Bucket=BUCKET, Key="datasets/pets/train/cat/1.png", Body=b"train cat X")  # same size
    assert send(pets, s3).sent == 2
    body = s3.get_object(Bucket=BUCKET, Key="datasets/pets/train/cat/1.png")["Body"].read()
    assert body == b"train cat 1"


def test_other_data_sets_and_prefixes_are_left_alone(s3, pets):
    s3.put_object(Bucket=BUCKET, Key="datasets/pets-2/train/a/1.png", Body=b"x")
    s3.put_object(Bucket=BUCKET, Key="training/job/output/model.tar.gz", Body=b"x")
    send(pets, s3)
    assert {"datasets/pets-2/train/a/1.png", "training/job/output/model.tar.gz"} <= keys(s3)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ClientError({"Error": {"Code": "500"}}, "PutObject")])
def test_a_stopped_upload_is_taken_up_and_not_begun_again(s3, pets, error):
    stop_at(s3, 10, error)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OperatorError
    with pytest.raises(expected):
        send(pets, s3)
    with pytest.raises(OperatorError, match=r"No data in bucket .*: run \./inv data first"):
        current(BUCKET, s3)
    there = len([key for key in keys(s3) if key.endswith(".png")])
    assert 0 < there < 24
    result = send(pets, s3)
    assert result.unchanged == there and result.sent == 24 - there
    assert current(BUCKET, s3).hash == manifest(pets).hash
    assert not any("in-progress" in key for key in keys(s3))


def test_a_half_replaced_data_set_is_refused_until_it_is_finished(s3, pets):
    send(pets, s3)
    for path in pets.rglob("*.png"):
        path.write_bytes(path.read_bytes() + b", second edition")
    stop_at(s3, 5, ClientError({"Error": {"Code": "503", "Message": "Slow Down"}}, "PutObject"))
    with pytest.raises(OperatorError, match=r"PutObject in bucket .* failed with 503 \(Slow Down\)"):
        send(pets, s3)
    with pytest.raises(
        OperatorError, match=r"upload of data set pets .* did not finish: run \./inv data again"
    ):
        current(BUCKET, s3)
    send(pets, s3)
    assert current(BUCKET, s3).hash == manifest(pets).hash


def test_the_data_set_in_force_outlives_a_stopped_upload_of_another(s3, pets, tmp_path):
    send(pets, s3)
    shutil.copytree(pets, tmp_path / "zoo")
    stop_at(s3, 5, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        send(tmp_path / "zoo", s3)
    assert current(BUCKET, s3).dataset == "pets"


def test_the_order_of_writes_makes_a_kill_at_any_point_visible(s3, pets):
    """No code runs after a kill -9, so what is written when is all that protects the reader."""
    calls: list[str] = []
    s3.meta.events.register(
        "before-call.s3",
        lambda model, params, **_: calls.append(f"{model.name} {params['url_path'].split('/')[-1]}"),
    )
    send(pets, s3)
    writes = [call for call in calls if call.startswith(("Put", "Delete"))]
    assert writes[0] == "PutObject upload-in-progress.json"
    assert all(".png" in call for call in writes[1:25])
    assert writes[25:-1] == ["PutObject manifest.json", "PutObject current.json"]
    assert writes[-1].startswith("DeleteObjects") and "datasets/pets/upload-in-progress.json" not in keys(s3)


def test_a_damaged_manifest_is_replaced(s3, pets):
    send(pets, s3)
    s3.put_object(Bucket=BUCKET, Key="datasets/pets/manifest.json", Body=b'{"files": ')
    with pytest.raises(OperatorError, match="damaged"):
        current(BUCKET, s3)
    assert send(pets, s3).sent == 24
    s3.put_object(Bucket=BUCKET, Key="datasets/current.json", Body=b"[]")
    with pytest.raises(OperatorError, match="damaged"):
        current(BUCKET, s3)


def test_a_file_that_changes_during_the_upload_is_not_sent_under_the_old_hash(s3, pets):
    before = manifest(pets)
    (pets / "train/cat/0.png").write_bytes(b"changed")
    with pytest.raises(OperatorError, match=r"train/cat/0\.png changed while"):
        upload(before, BUCKET, PREFIX, s3, KEY)
    (pets / "train/cat/0.png").unlink()
    with pytest.raises(OperatorError, match=r"0\.png could not be read"):
        upload(before, BUCKET, PREFIX, s3, KEY)


def test_no_data_no_bucket_no_connection(s3, pets):
    with pytest.raises(OperatorError, match=r"No data in environment dev: run \./inv data first"):
        current(BUCKET, s3, "dev")
    with pytest.raises(OperatorError, match="Bucket nowhere-at-all does not exist"):
        upload(manifest(pets), "nowhere-at-all", PREFIX, s3, KEY)
    stop_at(s3, 1, EndpointConnectionError(endpoint_url="https://s3"))
    with pytest.raises(OperatorError, match="could not be reached"):
        send(pets, s3)


def test_more_stale_keys_than_one_call_deletes(s3, pets, monkeypatch):
    module = sys.modules[upload.__module__]  # the package exports the function under the module's name
    monkeypatch.setattr(module, "_DELETE_AT_ONCE", 3)
    send(pets, s3)
    shutil.rmtree(pets / "train" / "dog")
    shutil.rmtree(pets / "valid" / "dog")
    assert send(pets, s3).deleted == 8
    assert len([key for key in keys(s3) if key.endswith(".png")]) == 16


def test_the_manifest_survives_json_and_notices_tampering(pets):
    made = manifest(pets)
    assert Manifest.from_json(made.to_json()) == made
    tampered = made.to_json().replace("train/cat/0.png", "train/cat/x.png")
    for text in (tampered, "[]", "{}", '{"dataset": "a", "files": {"x": {}}, "hash": ""}'):
        with pytest.raises(ValueError):
            Manifest.from_json(text)


def test_the_hash_depends_on_names_and_contents_only(pets, tmp_path):
    first = manifest(pets).hash
    shutil.copytree(pets, tmp_path / "elsewhere")
    assert manifest(tmp_path / "elsewhere").hash == first
    (tmp_path / "elsewhere/train/cat/0.png").write_bytes(b"other")
    assert manifest(tmp_path / "elsewhere").hash != first
