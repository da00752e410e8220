"""Uploads of a job."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from embedded_aws.services.sagemaker.training.artifacts import Artifacts, Checkpoints
from training_kit import SimulatedObjects


class SimulatedS3:
    """A simulated S3 client that stores objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.extra: dict[str, Any] = {}

    def put_object(self, Bucket: str, Key: str, Body: Any, **extra: Any) -> None:
        self.objects[Key], self.extra = Body.read(), extra


def test_outputs_are_merged_and_the_first_instance_wins(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}/model").mkdir(parents=True)
        (tmp_path / f"{number}/model/same").write_text(str(number))
    (tmp_path / "2/model/other").write_text("2")
    bucket = SimulatedS3()
    artifacts = Artifacts(bucket, {"S3OutputPath": "s3://b/out/", "KmsKeyId": "key"}, "job")
    uri = artifacts.upload("model", [tmp_path / "1/model", tmp_path / "2/model"])
    assert uri == "s3://b/out/job/output/model.tar.gz"
    assert bucket.extra == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key"}
    with tarfile.open(fileobj=io.BytesIO(bucket.objects["out/job/output/model.tar.gz"])) as archive:
        contents = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    assert contents == {"same": b"1", "other": b"2"}


def test_uncompressed_output_is_one_object_per_file(tmp_path: Path) -> None:
    (tmp_path / "model/code").mkdir(parents=True)
    (tmp_path / "model/code/app.py").write_text("x")
    bucket = SimulatedS3()
    output = {"S3OutputPath": "s3://b/out", "CompressionType": "NONE"}
    assert Artifacts(bucket, output, "job").upload("model", [tmp_path / "model"]).endswith("/output/model/")
    assert bucket.objects == {"out/job/output/model/code/app.py": b"x"}


def test_only_changed_checkpoints_are_uploaded(tmp_path: Path) -> None:
    bucket = SimulatedS3()
    folder = tmp_path / "checkpoints"
    checkpoints = Checkpoints(bucket, SimulatedObjects({"c/old": b"old"}), "s3://b/c/", [folder])
    checkpoints.restore()
    assert (folder / "old").read_bytes() == b"old"
    (folder / "new").write_text("new")
    checkpoints.save()
    assert bucket.objects == {"c/new": b"new"}
    bucket.objects.clear()
    checkpoints.save()
    assert bucket.objects == {}
