"""S3's listings in pages, while what they list is deleted, against a model of a few lines."""

import uuid

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from embedded_aws.runtime import Runtime
from embedded_aws.services.s3 import provider


@pytest.fixture
def s3(tmp_path):
    runtime = Runtime(home=tmp_path, port=1)
    provider.provider(runtime).install(runtime)
    with mock_aws():
        yield boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )


def new_bucket(s3) -> str:
    """Return the name of a new bucket: every example has its own."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


def versioned(s3, bucket, writes) -> list[tuple[str, str, bool]]:
    """Fill a bucket. Returns key, version ID and whether it is a marker, in the order of AWS's listing."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    model: list[tuple[str, str, bool]] = []
    for key, is_deletion in writes:
        known = any(key == other for other, _, _ in model)
        if is_deletion and known:
            model.insert(0, (key, s3.delete_object(Bucket=bucket, Key=key)["VersionId"], True))
        else:
            model.insert(0, (key, s3.put_object(Bucket=bucket, Key=key, Body=b"1")["VersionId"], False))
    return sorted(model, key=lambda version: version[0])  # stable: the newest version of a key stays first


def listed(page) -> list[tuple[str, str, bool]]:
    versions = [(v["Key"], v["VersionId"], False) for v in page.get("Versions", [])]
    return versions + [(v["Key"], v["VersionId"], True) for v in page.get("DeleteMarkers", [])]


keys = st.text(alphabet="ab/é", min_size=1, max_size=4).filter(lambda key: not key.startswith("/"))
writes = st.lists(st.tuples(keys, st.booleans()), min_size=1, max_size=14)
model_settings = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@model_settings
@given(writes=writes, prefix=st.sampled_from(["", "a", "a/", "é"]), limit=st.integers(1, 5), data=st.data())
def test_every_version_is_listed_once_while_versions_are_deleted(s3, writes, prefix, limit, data):
    bucket = new_bucket(s3)
    model = [version for version in versioned(s3, bucket, writes) if version[0].startswith(prefix)]
    latest = {key: identity for key, identity, _ in reversed(model)}
    asked, found, seen_latest = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": limit}, [], []
    gone: set[str] = set()
    while True:
        page = s3.list_object_versions(**asked)
        versions = listed(page)
        assert len(versions) == min(limit, len(model) - len(found))
        found += versions
        seen_latest += [
            v["VersionId"]
            for v in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if v["IsLatest"] and latest[v["Key"]] == v["VersionId"]
        ]
        for key, identity, _ in versions:
            if data.draw(st.booleans()):
                s3.delete_object(Bucket=bucket, Key=key, VersionId=identity)
                gone.add(identity)
        if not page["IsTruncated"]:
            break
        asked |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert sorted(found) == sorted(model)
    assert len(seen_latest) == len(latest)
    left = listed(s3.list_object_versions(Bucket=bucket, Prefix=prefix))
    assert sorted(left) == sorted(version for version in model if version[1] not in gone)


@model_settings
@given(writes=writes, limit=st.integers(1, 4))
def test_common_prefixes_count_as_items_in_every_listing(s3, writes, limit):
    bucket = new_bucket(s3)
    versions = versioned(s3, bucket, writes)
    current = {key for key, identity, marker in versions if not marker and is_newest(versions, key, identity)}
    pages = {
        "list_objects_v2": ("ContinuationToken", "NextContinuationToken"),
        "list_objects": ("Marker", "NextMarker"),
        "list_object_versions": ("KeyMarker", "NextKeyMarker"),
    }
    for operation, (marker, following) in pages.items():
        keys = current if operation != "list_object_versions" else {key for key, _, _ in versions}
        expected = sorted({key[: key.index("/") + 1] if "/" in key else key for key in keys})
        asked, found = {"Bucket": bucket, "Delimiter": "/", "MaxKeys": limit}, []
        while True:
            page = getattr(s3, operation)(**asked)
            items = [
                item["Key"]
                for name in ("Contents", "Versions", "DeleteMarkers")
                for item in page.get(name, [])
            ]
            items += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
            assert len(items) <= limit
            found += items
            if not page["IsTruncated"]:
                break
            asked[marker] = page[following]
            if "NextVersionIdMarker" in page:
                asked["VersionIdMarker"] = page["NextVersionIdMarker"]
            else:
                asked.pop("VersionIdMarker", None)
        assert sorted(set(found)) == expected, operation


def is_newest(versions, key, identity) -> bool:
    return next(other for name, other, _ in versions if name == key) == identity


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
def test_objects_are_listed_once_while_they_are_deleted(s3, operation):
    bucket = new_bucket(s3)
    for number in range(25):
        s3.put_object(Bucket=bucket, Key=f"{number:02}")
    found = []
    for page in s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}):
        found += (keys := [item["Key"] for item in page["Contents"]])
        for key in keys:
            s3.delete_object(Bucket=bucket, Key=key)
    assert found == [f"{number:02}" for number in range(25)]


def test_markers_need_not_exist(s3):
    bucket = new_bucket(s3)
    versioned(s3, bucket, [(key, False) for key in ("b", "d", "d")])
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="c")
    assert [item["Key"] for item in page["Versions"]] == ["d", "d"]
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="b")
    assert [item["Key"] for item in page["Versions"]] == ["d", "d"], (
        "the key marker's own versions are left out"
    )
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, StartAfter="e")
    with pytest.raises(ClientError) as refused:
        s3.list_object_versions(Bucket=bucket, VersionIdMarker="x")
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="%")
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_uploads_are_listed_once_while_they_are_aborted(s3):
    bucket = new_bucket(s3)
    keys = ["a/1", "a/2", "b", "b", "b", "c"]
    for key in keys:
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=2)
    assert folded["CommonPrefixes"] == [{"Prefix": "a/"}]
    assert [item["Key"] for item in folded["Uploads"]] == ["b"]
    found = []
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    for page in pages:
        for upload in page["Uploads"]:
            found.append(upload["Key"])
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    assert found == keys
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_page_has_at_most_1000_items(s3):
    bucket = new_bucket(s3)
    for number in range(1001):
        s3.put_object(Bucket=bucket, Key=f"{number:04}")
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (page["KeyCount"], page["IsTruncated"]) == (1000, True)


def test_deleting_a_version_reports_whether_it_was_a_marker(s3):
    bucket = new_bucket(s3)
    (_, marker, _), (_, version, _) = versioned(s3, bucket, [("a", False), ("a", True)])
    assert s3.delete_object(Bucket=bucket, Key="a", VersionId=marker)["DeleteMarker"] is True
    assert "DeleteMarker" not in s3.delete_object(Bucket=bucket, Key="a", VersionId=version)
    assert "DeleteMarker" not in s3.delete_object(Bucket=bucket, Key="a", VersionId=version)  # it is gone
