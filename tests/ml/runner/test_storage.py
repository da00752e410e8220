"""The job's description, status and data in S3."""

from __future__ import annotations

import pytest

from ml.runner.job import Job, Status
from ml.runner.storage import parse_s3_uri
from tests.ml.runner.conftest import BUCKET, job


def test_read_job_returns_the_job_that_was_written(account, storage):
    account.put("code/jobs/job-1/job.json", job().to_json().encode())
    assert storage.read_job(f"s3://{BUCKET}/code/jobs/job-1/job.json") == job()
    assert Job.from_json(job().to_json()) == job()
    assert job().artifact == f"s3://{BUCKET}/training/job-1/output/model.tar.gz"


def test_read_status_returns_none_before_the_first_attempt(account, storage):
    assert storage.read_status(job()) is None
    storage.write_status(job(), Status(stage="Training", attempts=2))
    assert storage.read_status(job()) == Status(stage="Training", attempts=2)


def test_status_ignores_fields_of_another_version():
    assert Status.from_json('{"attempts": 2, "added_later": true}') == Status(attempts=2)


def test_parse_s3_uri_returns_bucket_and_key():
    assert parse_s3_uri("s3://bucket/a/b.json") == ("bucket", "a/b.json")


def test_download_writes_small_and_large_objects(account, storage, tmp_path, monkeypatch):
    monkeypatch.setattr("ml.runner.storage.SMALL_OBJECT_BYTES", 4)
    bodies = {"a/1.png": b"1234", "b/2.png": b"12345", "empty.txt": b""}
    for name, body in bodies.items():
        account.put(f"more/{name}", body)
    account.put("more/folder/", b"")  # the S3 console creates such objects for folders
    assert storage.download(f"s3://{BUCKET}/more/", tmp_path) == 3
    assert {name: (tmp_path / name).read_bytes() for name in bodies} == bodies


def test_download_refuses_a_key_that_points_outside_the_prefix(account, storage, tmp_path):
    account.put("more/../../code/train.py", b"malicious")
    with pytest.raises(ValueError, match=r"the key more/\.\./\.\./code/train.py points outside its prefix"):
        storage.download(f"s3://{BUCKET}/more/", tmp_path / "in")
    assert list(tmp_path.rglob("*.py")) == []
