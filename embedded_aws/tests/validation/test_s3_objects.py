"""S3: objects, uploads, ACLs and destinations of notifications."""

from __future__ import annotations

from typing import Any

import pytest

from access_kit import ACCOUNT, code, refusal
from raw_kit import unchecked

BUCKET = "validated-objects"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:missing"
TAGS = {"TagSet": [{"Key": "k", "Value": "v"}] * 2}
PART = {"PartNumber": 1, "ETag": "e"}
MISSING_KEY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def s3(embedded_aws: Any) -> Any:
    client = unchecked(embedded_aws, "s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"body")
    return client


@pytest.mark.parametrize(
    ("method", "arguments", "status", "expected"),
    [
        ("put_object_tagging", {"Key": "k", "Tagging": TAGS}, 400, "InvalidTag"),
        ("upload_part", {"Key": "k", "UploadId": "u", "PartNumber": 1, "Body": b"p"}, 404, "NoSuchUpload"),
        ("list_parts", {"Key": "k", "UploadId": "u"}, 404, "NoSuchUpload"),
        (
            "complete_multipart_upload",
            {"Key": "k", "UploadId": "u", "MultipartUpload": {"Parts": [{**PART, "PartNumber": 2}, PART]}},
            400,
            "InvalidPartOrder",
        ),
        ("put_bucket_acl", {"ACL": "private"}, 400, "AccessControlListNotSupported"),
        ("put_object", {"Key": "n", "ACL": "public-read"}, 400, "AccessControlListNotSupported"),
        ("put_object", {"Key": "n", "GrantRead": "id=1"}, 400, "AccessControlListNotSupported"),
        (
            "put_bucket_versioning",
            {"VersioningConfiguration": {"Status": "Enabled", "MFADelete": "Enabled"}},
            501,
            "NotImplemented",
        ),
        (
            "delete_objects",
            {"Delete": {"Objects": [{"Key": str(n)} for n in range(1001)]}},
            400,
            "MalformedXML",
        ),
        ("put_object", {"Key": "n", "WebsiteRedirectLocation": "there"}, 400, "InvalidRedirectLocation"),
        ("put_object", {"Key": "n", "SSEKMSKeyId": MISSING_KEY}, 400, "InvalidArgument"),
        (
            "put_object",
            {"Key": "n", "SSEKMSKeyId": MISSING_KEY, "ServerSideEncryption": "aws:kms"},
            400,
            "KMS.NotFoundException",
        ),
        ("get_object", {"Key": "k", "Range": "bytes=0-1,3-4"}, 501, "NotImplemented"),
        (
            "put_bucket_notification_configuration",
            {
                "NotificationConfiguration": {
                    "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]
                }
            },
            400,
            "InvalidArgument",
        ),
    ],
)
def test_refused(s3: Any, method: str, arguments: dict[str, Any], status: int, expected: str) -> None:
    assert refusal(getattr(s3, method), Bucket=BUCKET, **arguments)[:2] == (status, expected)


def test_acls_are_accepted_where_the_bucket_allows_them(s3: Any) -> None:
    name = f"{BUCKET}-acls"
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerPreferred")
    assert code(s3.put_object, Bucket=name, Key="k", ACL="public-read") == "OK"
    assert code(s3.put_object, Bucket=BUCKET, Key="k", ACL="bucket-owner-full-control") == "OK"


def test_what_aws_accepts_is_accepted(s3: Any, embedded_aws: Any) -> None:
    embedded_aws.client("sqs").create_queue(QueueName="validated-objects")
    target = {"QueueArn": QUEUE.replace("missing", "validated-objects"), "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [target]}
    )
    assert s3.get_object(Bucket=BUCKET, Key="k", Range="bytes=-1")["ContentLength"] <= 1
    s3.put_object(Bucket=BUCKET, Key="r", WebsiteRedirectLocation="/there")
    started = s3.create_multipart_upload(Bucket=BUCKET, Key="m")["UploadId"]
    tag = s3.upload_part(Bucket=BUCKET, Key="m", UploadId=started, PartNumber=1, Body=b"p")["ETag"]
    done = {"UploadId": started, "MultipartUpload": {"Parts": [{**PART, "ETag": tag}]}}
    assert s3.complete_multipart_upload(Bucket=BUCKET, Key="m", **done)["Key"] == "m"
    assert code(s3.complete_multipart_upload, Bucket=BUCKET, Key="m", **done) == "OK"
