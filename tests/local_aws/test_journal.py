"""No S3 write that was acknowledged is lost to a `kill -9`, at whatever moment it comes."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

pytestmark = pytest.mark.slow


def _kill(aws: Any) -> None:
    os.kill(aws.address.pid, signal.SIGKILL)
    aws.restart()


def _everything(s3: Any, bucket: str) -> list[tuple]:
    """Every version and delete marker in S3's order, with bytes and tags."""
    listed = s3.list_object_versions(Bucket=bucket)
    found: list[tuple] = [
        (m["Key"], m["VersionId"], m["IsLatest"], "deleted") for m in listed.get("DeleteMarkers", [])
    ]
    for version in listed.get("Versions", []):
        which = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        answer = s3.get_object(**which)
        tags = s3.get_object_tagging(**which)["TagSet"]
        found.append((version["Key"], version["VersionId"], version["IsLatest"], answer["Body"].read(), answer["Metadata"], tags))  # fmt: skip
    return found


def test_every_kind_of_write_outlives_a_kill_at_once(new_embedded_aws) -> None:
    aws = new_embedded_aws()
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    for number in range(5):
        s3.put_object(Bucket="kept", Key="versions", Body=b"%d" % number * 3000, Metadata={"n": str(number)})
    s3.put_object(Bucket="kept", Key="gone", Body=b"soon", Tagging="t=1")
    s3.delete_object(Bucket="kept", Key="gone")
    s3.copy_object(Bucket="kept", Key="copy", CopySource="kept/versions")
    s3.put_object_tagging(Bucket="kept", Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    first = s3.list_object_versions(Bucket="kept", Prefix="versions")["Versions"][-1]["VersionId"]
    s3.delete_object(Bucket="kept", Key="versions", VersionId=first)
    for key in ("x", "y"):
        s3.put_object(Bucket="kept", Key=key, Body=b"-")
    s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "x"}, {"Key": "y"}]})
    done = s3.create_multipart_upload(Bucket="kept", Key="large")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="large", UploadId=done, PartNumber=1, Body=b"p" * 2000)
    s3.complete_multipart_upload(
        Bucket="kept", Key="large", UploadId=done,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    upload = s3.create_multipart_upload(Bucket="kept", Key="open")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="open", UploadId=upload, PartNumber=1, Body=b"q" * 2000)
    s3.create_bucket(Bucket="dropped")
    s3.put_object(Bucket="dropped", Key="k", Body=b"-")
    s3.delete_object(Bucket="dropped", Key="k")
    s3.delete_bucket(Bucket="dropped")
    before = _everything(s3, "kept")
    assert len(before) == 12

    _kill(aws)
    assert _everything(s3, "kept") == before
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["kept"]
    s3.complete_multipart_upload(
        Bucket="kept", Key="open", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    assert s3.get_object(Bucket="kept", Key="open")["Body"].read() == b"q" * 2000

    # A record that its writer did not finish is left out, with the write that was never answered.
    s3.put_object(Bucket="kept", Key="whole", Body=b"-")
    s3.put_object(Bucket="kept", Key="half", Body=b"-")
    os.kill(aws.address.pid, signal.SIGKILL)
    segments = list((aws.home / "state").glob("journal.*"))
    assert len(segments) <= 3
    last = max(segments, key=lambda path: int(path.suffix[1:]))
    last.write_bytes(last.read_bytes()[:-10])
    aws.restart()
    keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket="kept")["Contents"]}
    assert "whole" in keys and "half" not in keys


def test_what_was_acknowledged_is_there_whenever_the_kill_comes(new_embedded_aws, until) -> None:
    """Writers at work over a snapshot; after the kill every acknowledged version is there, in order."""
    aws = new_embedded_aws()
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="busy")
    s3.put_bucket_versioning(Bucket="busy", VersioningConfiguration={"Status": "Enabled"})
    acknowledged: dict[str, list[str]] = {f"own-{n}": [] for n in range(2)} | {"shared": []}

    def write(name: str, stop: threading.Event) -> None:
        client = aws.client("s3")
        try:
            while not stop.is_set():
                answer = client.put_object(Bucket="busy", Key=name, Body=os.urandom(1500))
                acknowledged[name].append(answer["VersionId"])
                answer = client.put_object(Bucket="busy", Key="shared", Body=b"-")
                acknowledged["shared"].append(answer["VersionId"])
        except (BotoCoreError, ClientError):
            return  # killed

    stop = threading.Event()
    threads = [threading.Thread(target=write, args=(f"own-{n}", stop)) for n in range(2)]
    for thread in threads:
        thread.start()
    snapshot = aws.home / "state" / "snapshot"
    until(snapshot.exists)
    written = len(acknowledged["shared"])
    until(lambda: len(acknowledged["shared"]) > written + 10)
    os.kill(aws.address.pid, signal.SIGKILL)
    stop.set()
    for thread in threads:
        thread.join()
    aws.restart()
    listed = s3.get_paginator("list_object_versions").paginate(Bucket="busy")
    kept: dict[str, list[str]] = {name: [] for name in acknowledged}
    for page in listed:
        for version in page["Versions"]:
            kept[version["Key"]].insert(0, version["VersionId"])
    for name, versions in acknowledged.items():
        assert set(versions) <= set(kept[name])
        if name != "shared":
            assert [v for v in kept[name] if v in versions] == versions
    assert all(len(versions) > 3 for versions in acknowledged.values())


def test_of_writers_that_each_want_to_be_first_one_is(embedded_aws) -> None:
    """As with the lock file of a Terraform state; moto alone would let several through."""
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket="first-come")
    outcomes: list[list[str]] = []

    def write(number: int) -> None:
        try:
            s3.put_object(Bucket="first-come", Key=f"{number}", Body=b"-", IfNoneMatch="*")
            outcomes[number].append("written")
        except ClientError as error:
            outcomes[number].append(error.response["Error"]["Code"])

    for number in range(10):
        outcomes.append([])
        threads = [threading.Thread(target=write, args=(number,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [sorted(found) for found in outcomes] == [["PreconditionFailed"] * 3 + ["written"]] * 10
