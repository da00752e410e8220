"""Permissions of S3 calls."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from access_kit import allow, code, refusal

pytestmark = pytest.mark.slow


def test_objects_are_authorized_key_by_key(embedded_aws, as_role, bucket: str) -> None:
    owner = embedded_aws.client("s3")
    for key in ("in/a", "in/b", "out/c"):
        owner.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3 = as_role(
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"arn:aws:s3:::{bucket}/in/*"),
        allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", StringLike={"s3:prefix": ["in/*"]}),
    )("s3")
    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"x"
    assert refusal(s3.head_object, Bucket=bucket, Key="out/c")[0] == 403
    assert code(s3.get_object, Bucket=bucket, Key="out/c") == "AccessDenied"
    assert len(s3.list_objects_v2(Bucket=bucket, Prefix="in/")["Contents"]) == 2
    assert code(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    # Without permission to list the bucket, a missing key looks like a denied one.
    assert code(s3.get_object, Bucket=bucket, Key="in/none") == "AccessDenied"
    assert code(owner.get_object, Bucket=bucket, Key="in/none") == "NoSuchKey"
    # A copy reads its source; DeleteObjects is authorized key by key.
    source = {"Bucket": bucket, "Key": "out/c"}
    assert code(s3.copy_object, Bucket=bucket, Key="in/d", CopySource=source) == "AccessDenied"
    source["Key"] = "in/a"
    assert code(s3.copy_object, Bucket=bucket, Key="in/d", CopySource=source) == "OK"
    assert code(s3.copy_object, Bucket=bucket, Key="out/d", CopySource=source) == "AccessDenied"
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "in/b"}, {"Key": "out/c"}]})
    assert [d["Key"] for d in answer["Deleted"]] == ["in/b"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("out/c", "AccessDenied")]
    assert code(owner.head_object, Bucket=bucket, Key="out/c") == "OK"


def test_object_versions_need_their_own_actions(embedded_aws, as_role, bucket: str) -> None:
    owner = embedded_aws.client("s3")
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = owner.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    s3 = as_role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))("s3")
    assert code(s3.get_object, Bucket=bucket, Key="k") == "OK"
    assert code(s3.get_object, Bucket=bucket, Key="k", VersionId=version) == "AccessDenied"


def test_bucket_policies_apply_to_presigned_and_anonymous_requests(embedded_aws, bucket: str) -> None:
    owner = embedded_aws.client("s3")
    owner.put_object(Bucket=bucket, Key="a b+é.txt", Body=b"public", Metadata={"under_score": "v"})
    anonymous = embedded_aws.client("s3", config=Config(signature_version=UNSIGNED))
    assert code(anonymous.get_object, Bucket=bucket, Key="a b+é.txt") == "AccessDenied"

    presigner = embedded_aws.client("s3", config=Config(signature_version="s3v4"))
    url = presigner.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b+é.txt"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"public"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("Expires=3600", "Expires=3601"))

    public = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    locked = {**tls_only, "Action": "s3:DeleteObject"}
    del locked["Condition"]
    document = {"Version": "2012-10-17", "Statement": [public, tls_only, locked]}
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    assert anonymous.get_object(Bucket=bucket, Key="a b+é.txt")["Metadata"] == {"under_score": "v"}
    assert code(anonymous.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert code(owner.put_object, Bucket=bucket, Key="more", Body=b"") == "OK"
    assert (
        "explicit deny in a resource-based policy"
        in refusal(owner.delete_object, Bucket=bucket, Key="more")[2]
    )

    owner.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    assert code(anonymous.get_object, Bucket=bucket, Key="a b+é.txt") == "AccessDenied"


def test_encrypted_objects_need_permission_on_their_key(embedded_aws, as_role, bucket: str) -> None:
    key = embedded_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    owner = embedded_aws.client("s3")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    owner.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    owner.put_object(Bucket=bucket, Key="k", Body=b"x")
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    via_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    clients = as_role(objects, allow("kms:Decrypt", key, **via_s3))
    assert clients("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    status, _, message = refusal(clients("s3").put_object, Bucket=bucket, Key="k2", Body=b"")
    assert status == 403 and f"perform: kms:GenerateDataKey on resource: {key}" in message
    # The same permission does not allow direct use of the key.
    secret = embedded_aws.client("kms").encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    assert code(clients("kms").decrypt, CiphertextBlob=secret) == "AccessDeniedException"
