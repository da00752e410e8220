"""S3: what is not implemented is refused; names, numbers and digests are checked."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import quote

import pytest
from moto.core.utils import get_service_model

from access_kit import refusal
from embedded_aws.validation.rules import s3
from raw_kit import code_of, send

MODEL: Any = get_service_model("s3")
SUB_RESOURCES = sorted(
    {
        (http["method"], "Key" in http["requestUri"], http["requestUri"].partition("?")[2], name)
        for name in MODEL.operation_names
        if (http := MODEL.operation_model(name).http)
        and name in s3.NOT_IMPLEMENTED
        and "?" in http["requestUri"]
    }
)


@pytest.fixture(scope="module")
def bucket(embedded_aws: Any) -> str:
    client = embedded_aws.client("s3")
    client.create_bucket(Bucket="validated")
    client.put_object(Bucket="validated", Key="k", Body=b"body")
    return "validated"


def test_the_table_names_operations_of_the_model() -> None:
    assert set(MODEL.operation_names) >= s3.NOT_IMPLEMENTED
    assert not {"GetObject", "ListObjectsV2", "PutBucketPolicy"} & s3.NOT_IMPLEMENTED


@pytest.mark.parametrize(("method", "of_key", "query", "operation"), SUB_RESOURCES)
def test_sub_resources_that_are_not_implemented_are_refused(
    embedded_aws: Any, bucket: str, method: str, of_key: bool, query: str, operation: str
) -> None:
    shape = MODEL.operation_model(operation).input_shape
    required = [shape.members[name].serialization for name in shape.required_members]
    more = "".join(f"&{place['name']}=x" for place in required if place.get("location") == "querystring")
    headers = {place["name"]: "x" for place in required if place.get("location") == "header"}
    path = f"/{bucket}{'/k' if of_key else ''}?{query}{more}"
    status, answer = send(embedded_aws, "s3", method, path, headers=headers)
    assert (status, code_of(answer)) == (501, "NotImplemented"), answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/validated?bogus", "/validated/k?bogus=1", "/validated/k?requestPayment", "/validated?torrent"]
)
def test_unknown_query_parameters_are_refused(embedded_aws: Any, bucket: str, method: str, path: str) -> None:
    status, answer = send(embedded_aws, "s3", method, path)
    assert (status, code_of(answer)) == (501, "NotImplemented")
    assert embedded_aws.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_parameters_for_access_logs_are_ignored(embedded_aws: Any, bucket: str) -> None:
    assert send(embedded_aws, "s3", "GET", f"/{bucket}/k?x-session=1") == (200, "body")


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("x-amz-server-side-encryption-customer-algorithm", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-context", 501, "NotImplemented"),
        ("x-amz-copy-source-if-match", 501, "NotImplemented"),
        ("x-amz-bogus", 501, "NotImplemented"),
        ("x-amz-expected-bucket-owner", 403, "AccessDenied"),
        ("x-amz-acl", 400, "InvalidArgument"),
        ("x-amz-storage-class", 400, "InvalidStorageClass"),
        ("content-md5", 400, "InvalidDigest"),
    ],
)
def test_headers_without_effect_here_are_refused(
    embedded_aws: Any, bucket: str, header: str, status: int, code: str
) -> None:
    found, answer = send(embedded_aws, "s3", "PUT", f"/{bucket}/new", b"body", {header: "111111111111"})
    assert (found, code_of(answer)) == (status, code)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("content-md5", base64.b64encode(hashlib.md5(b"other").digest()).decode()),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(b"other").digest()).decode()),
    ],
)
def test_a_body_that_is_not_the_announced_one_is_refused(
    embedded_aws: Any, bucket: str, header: str, value: str
) -> None:
    status, answer = send(embedded_aws, "s3", "PUT", f"/{bucket}/new", b"body", {header: value})
    assert (status, code_of(answer)) == (400, "BadDigest")


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Upper", "under_score", "-a-", "a..b", "192.168.1.1", "xn--abc", "abc-s3alias", "a b"],
)
def test_bucket_names(embedded_aws: Any, name: str) -> None:
    status, answer = send(embedded_aws, "s3", "PUT", f"/{quote(name)}")
    assert (status, code_of(answer)) == (400, "InvalidBucketName")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/validated?max-keys=-1", "InvalidArgument"),
        ("/validated?max-keys=ten", "InvalidArgument"),
        ("/validated?list-type=2&max-keys=2147483648", "InvalidArgument"),
        ("/validated?versions&max-keys=-1", "InvalidArgument"),
        ("/validated?uploads&max-uploads=-1", "InvalidArgument"),
        ("/validated/k?versionId=", "InvalidArgument"),
        ("/validated/k?versionId=%20", "InvalidArgument"),
        ("/validated/" + "k" * 1025, "KeyTooLongError"),
    ],
)
def test_numbers_versions_and_keys(embedded_aws: Any, bucket: str, path: str, code: str) -> None:
    status, answer = send(embedded_aws, "s3", "GET", path)
    assert (status, code_of(answer)) == (400, code)


@pytest.mark.parametrize("number", ["0", "10001", "one"])
def test_part_numbers(embedded_aws: Any, bucket: str, number: str) -> None:
    status, answer = send(embedded_aws, "s3", "PUT", f"/{bucket}/k?partNumber={number}&uploadId=u", b"body")
    assert (status, code_of(answer)) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "body",
    [
        "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>",
        "<VersioningConfiguration",
        "<V><Bogus/></V>",
    ],
)
def test_xml_that_is_not_the_schemas_is_refused(embedded_aws: Any, bucket: str, body: str) -> None:
    status, answer = send(embedded_aws, "s3", "PUT", f"/{bucket}?versioning", body.encode())
    assert (status, code_of(answer)) == (400, "MalformedXML")


def test_metadata_has_at_most_two_kilobytes(embedded_aws: Any, bucket: str) -> None:
    put = embedded_aws.client("s3").put_object
    assert refusal(put, Bucket=bucket, Key="m", Metadata={"k": "v" * 2048})[1] == "MetadataTooLarge"
    put(Bucket=bucket, Key="m", Metadata={"k": "v" * 2047})
    embedded_aws.client("s3").delete_object(Bucket=bucket, Key="m")


def test_the_owner_pays_for_requests(embedded_aws: Any, bucket: str) -> None:
    assert embedded_aws.client("s3").get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
