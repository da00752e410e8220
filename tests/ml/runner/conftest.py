"""A job in a moto account, with training programs that finish at once."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ml.runner.job import Job
from ml.runner.storage import JobStorage

BUCKET = "image-classifier-dev-123456789012-us-east-1"
OUTPUT = f"s3://{BUCKET}/training/job-1/"
GROUP = "image-classifier-dev"
# Prints and writes what the real training program does.
TRAINING_PROGRAM = """
import os, pathlib, sys
print("hyperparameters", *sys.argv[1:])
images = sorted(p.name for p in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).rglob("*.png"))
print("images", *images)
print("validation:accuracy=0.5")
print("validation:accuracy=0.75 test:accuracy=0.875")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text("{}")
"""


def archive(text: str) -> bytes:
    """Return the tar.gz of a training program."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as packed:
        info = tarfile.TarInfo("train.py")
        info.size = len(text.encode())
        packed.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(content.getvalue(), mtime=0)


def job(**changes: Any) -> Job:
    """Return a job that trains on two images, with some fields changed."""
    fields: dict[str, Any] = {
        "name": "job-1",
        "region": "us-east-1",
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/k",
        "source": f"s3://{BUCKET}/code/abc/source.tar.gz",
        "program": "train.py",
        "source_digest": hashlib.sha256(archive(TRAINING_PROGRAM)).hexdigest(),
        "hyperparameters": {"epochs": "3", "optimizer": "sgd"},
        "channels": {"train": f"s3://{BUCKET}/datasets/d/train/"},
        "output": OUTPUT,
        "checkpoints": f"s3://{BUCKET}/checkpoints/job-1/",
        "metrics": {n: rf"{n}=([0-9.]+)" for n in ("validation:accuracy", "test:accuracy")},
        "registration": {
            "ModelPackageGroupName": GROUP,
            "CustomerMetadataProperties": {"training_job": "job-1"},
            "InferenceSpecification": {
                "Containers": [{"Image": "image", "ModelDataUrl": f"{OUTPUT}output/model.tar.gz"}],
                "SupportedContentTypes": ["image/png"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        },
        "minimum_accuracy": 0.8,
        "max_runtime_seconds": 60,
    }
    return Job(**{**fields, **changes})


class Account:
    """The account's bucket and model registry. `set_program(text)` replaces the training program."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)
        boto3.client("sagemaker", region_name="us-east-1").create_model_package_group(
            ModelPackageGroupName=GROUP
        )
        for name in ("a/1.png", "b/2.png"):
            self.put(f"datasets/d/train/{name}", name.encode())
        self.set_program(TRAINING_PROGRAM)

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def set_program(self, text: str) -> None:
        self.put("code/abc/source.tar.gz", archive(text))
        self.digest = hashlib.sha256(archive(text)).hexdigest()

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, without the prefix."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [item["Key"].removeprefix(prefix) for item in found]

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.fixture
def account(monkeypatch):
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield Account()


@pytest.fixture
def storage(account) -> JobStorage:
    return JobStorage()


@pytest.fixture
def work(tmp_path) -> Path:
    return tmp_path / "work"
