"""Everything in a bucket is counted and deleted, in parallel and whatever S3 answers for single objects."""

import pytest
from botocore.exceptions import ClientError

from ops import bucket
from ops.bucket import Contents
from ops.errors import OperatorError
from tests.environments import with_clients

BUCKET = "full"


class FakeS3:
    """Versions in a list, 10 in a page; `failing(version, attempt)` returns the error code of a deletion."""

    def __init__(self, count, failing=lambda version, attempt: None, refilled=0):
        self.versions = [{"Key": f"k{n // 3}", "VersionId": f"v{n}", "Size": 100} for n in range(count)]
        self.uploads = [{"Key": "u", "UploadId": str(n)} for n in range(3)]
        self.failing, self.attempts, self.refilled, self.requests = failing, {}, refilled, 0

    def get_paginator(self, operation):
        return self if operation == "list_object_versions" else _Uploads(self)

    def paginate(self, Bucket, Prefix):
        after = ""
        while page := sorted(v["VersionId"] for v in self.versions if v["VersionId"] > after)[:10]:
            after = page[-1]
            found = [v for v in self.versions if v["VersionId"] in page]
            yield {"Versions": found[:6], "DeleteMarkers": found[6:]}

    def delete_objects(self, Bucket, Delete):
        self.requests += 1
        errors = []
        for version in Delete["Objects"]:
            name = version["VersionId"]
            self.attempts[name] = self.attempts.get(name, 0) + 1
            if code := self.failing(name, self.attempts[name]):
                errors.append({**version, "Code": code, "Message": "Please try again."})
            else:
                self.versions = [v for v in self.versions if v["VersionId"] != name]
        if self.refilled:
            self.refilled -= 1
            self.versions.append({"Key": "new", "VersionId": f"w{self.refilled}", "Size": 1})
        return {"Errors": errors} if errors else {}

    def abort_multipart_upload(self, Bucket, Key, UploadId):
        self.uploads = [u for u in self.uploads if u["UploadId"] != UploadId]
        if UploadId == "1":
            raise ClientError({"Error": {"Code": "NoSuchUpload"}}, "AbortMultipartUpload")


class _Uploads:
    def __init__(self, s3):
        self.s3 = s3

    def paginate(self, Bucket, Prefix):
        yield {"Uploads": list(self.s3.uploads)}


def test_everything_is_deleted_with_progress(dev):
    s3, texts = FakeS3(95), []
    assert bucket.empty(with_clients(dev, s3=s3), BUCKET, expected=95, progress=texts.append) == 95
    assert (s3.versions, s3.uploads) == ([], [])
    assert texts[-1].startswith("deleted 95 of 95 object versions (")


def test_objects_that_s3_fails_to_delete_are_tried_again(dev, fast_clock):
    s3 = FakeS3(30, failing=lambda version, attempt: "SlowDown" if attempt < 3 else None)
    assert bucket.empty(with_clients(dev, s3=s3), BUCKET) == 30
    assert s3.versions == []
    assert set(s3.attempts.values()) == {3}


def test_retries_are_bounded(dev, fast_clock):
    s3 = FakeS3(5, failing=lambda version, attempt: "InternalError" if version == "v2" else None)
    with pytest.raises(
        OperatorError, match=r"did not delete k0 in bucket full \(InternalError: Please try again\)"
    ):
        bucket.empty(with_clients(dev, s3=s3), BUCKET)
    assert [v["VersionId"] for v in s3.versions] == ["v2"]


def test_a_refusal_is_not_tried_again(dev):
    s3 = FakeS3(40, failing=lambda version, attempt: "AccessDenied" if version == "v7" else None)
    with pytest.raises(
        OperatorError, match=r"did not delete k2 in bucket full \(AccessDenied.* run the same command again"
    ):
        bucket.empty(with_clients(dev, s3=s3), BUCKET)
    assert s3.attempts["v7"] == 1


def test_what_is_written_meanwhile_is_deleted_too(dev):
    s3 = FakeS3(10, refilled=2)
    assert bucket.empty(with_clients(dev, s3=s3), BUCKET) == 12
    assert s3.versions == []
    with pytest.raises(
        OperatorError, match=r"full has new objects each time it is emptied .*stop what writes to it"
    ):
        bucket.empty(with_clients(dev, s3=FakeS3(10, refilled=1000)), BUCKET)


def test_contents_are_counted(dev, monkeypatch):
    env = with_clients(dev, s3=FakeS3(10))
    assert bucket.contents(env, BUCKET) == Contents(versions=10, size=600, uploads=3)
    monkeypatch.setattr(bucket, "COUNT_LIMIT", 15)
    assert bucket.contents(with_clients(dev, s3=FakeS3(40)), BUCKET) == Contents(20, 1200, complete=False)


def test_a_bucket_in_an_account(moto_aws, dev):
    s3 = dev.client("s3")
    assert (bucket.empty(dev, BUCKET), bucket.contents(dev, BUCKET)) == (0, Contents())
    assert not bucket.holds_anything(dev, BUCKET)
    s3.create_bucket(Bucket=BUCKET)
    assert not bucket.holds_anything(dev, BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a/1", "a/1", "b"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"12")
    s3.delete_object(Bucket=BUCKET, Key="b")
    s3.create_multipart_upload(Bucket=BUCKET, Key="b")
    assert bucket.contents(dev, BUCKET) == Contents(versions=4, size=6, uploads=1)
    assert bucket.empty(dev, BUCKET, "a/") == 2
    assert bucket.contents(dev, BUCKET) == Contents(versions=2, size=2, uploads=1)
    assert bucket.empty(dev, BUCKET) == 2
    assert bucket.contents(dev, BUCKET) == Contents()
    s3.delete_bucket(Bucket=BUCKET)
