"""Dispatch: unsupported operations and internal failures, in AWS's error shapes."""

from __future__ import annotations

import hashlib

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sagemaker", "list_edge_packaging_jobs", {}),
        ("ec2", "describe_verified_access_groups", {}),
        ("iam", "generate_service_last_accessed_details", {"Arn": "arn:aws:iam::123456789012:role/x"}),
        ("lambda", "get_runtime_management_config", {"FunctionName": "f"}),
    ],
)
def test_unsupported_operations_are_refused_at_once(
    embedded_aws, service: str, operation: str, arguments: dict
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(embedded_aws.client(service), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert f"does not support this: {service}: " in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_an_internal_failure_is_an_aws_error_with_its_reason_and_a_logged_traceback(embedded_aws) -> None:
    s3, body = embedded_aws.client("s3"), b"full" * 2000
    s3.create_bucket(Bucket="full")
    folder = embedded_aws.home / "blobs" / hashlib.sha256(body).hexdigest()[:2]
    folder.mkdir(exist_ok=True)
    folder.rename(folder.with_name("aside"))
    folder.touch()  # not a folder: it fails as a full disk would
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="full", Key="k", Body=body)
    folder.unlink()
    folder.with_name("aside").rename(folder)
    assert caught.value.response["Error"]["Code"] == "InternalFailure"
    assert "Not a directory" in caught.value.response["Error"]["Message"]
    assert "Traceback" in (embedded_aws.home / "log" / "service.log").read_text()
    assert s3.list_objects_v2(Bucket="full")["KeyCount"] == 0
