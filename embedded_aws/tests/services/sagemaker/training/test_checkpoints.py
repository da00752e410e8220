"""Checkpoints are uploaded while the program writes them."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws.services.sagemaker.training.artifacts import Checkpoints
from embedded_aws.services.sagemaker.training.channels import JobFailure


class Bucket:
    """Refuses the first upload with an error code."""

    def __init__(self, code: str) -> None:
        self.code, self.objects = code, dict[str, bytes]()

    def put_object(self, Bucket: str, Key: str, Body: Any) -> None:
        if self.code:
            code, self.code = self.code, ""
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, "PutObject")
        self.objects[Key] = Body.read()


def checkpoints(bucket: Bucket, folder: Path) -> Checkpoints:
    (folder / "train.npy").write_bytes(b"features")
    return Checkpoints(bucket, None, "s3://bucket/prefix/", [folder])  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"])
def test_a_file_that_changes_during_its_upload_is_sent_the_next_time(tmp_path, code):
    bucket = Bucket(code)
    found = checkpoints(bucket, tmp_path)
    found.save()
    assert bucket.objects == {}
    found.save()
    assert bucket.objects == {"prefix/train.npy": b"features"}


def test_any_other_refusal_fails_the_job(tmp_path):
    with pytest.raises(JobFailure, match="Checkpoint upload failed: AccessDenied"):
        checkpoints(Bucket("AccessDenied"), tmp_path).save()
