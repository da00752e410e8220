"""Permissions that an S3 call needs: actions, object keys, the source of a copy, and KMS keys of objects."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote

from moto.s3.models import FakeBucket, FakeKey, s3_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.arns import kms_key_arn
from embedded_aws.iam.checks import Check
from embedded_aws.iam.request import Call

# Operations whose IAM action has a different name. Source: "Required permissions for Amazon S3 API operations".
_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectAttributes": "GetObject",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
_ACTIONS |= {
    f"{verb}Bucket{kind}Configuration{suffix}": f"{'Put' if verb == 'Delete' else 'Get' if verb == 'List' else verb}{kind}Configuration"
    for verb in ("Get", "Put", "Delete", "List")
    for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
    for suffix in ("", "s")
}
# Actions with a different name for one version of an object.
_VERSIONED = {
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}
_READS = {"GetObject", "HeadObject", "GetObjectAttributes", "SelectObjectContent"}
_WRITES = {"PutObject", "CreateMultipartUpload", "CopyObject"}  # parts use the upload's key


def bucket(name: str | None) -> FakeBucket | None:
    """Return moto's bucket, or None."""
    return s3_backends[ACCOUNT_ID]["aws"].buckets.get(name) if name else None


def checks_of(call: Call) -> list[Check]:
    """Return every permission that an S3 call needs, KMS included."""
    context = _keys(call)
    name, key = call.parameter("Bucket"), call.parameter("Key")
    bucket_arn = f"arn:aws:s3:::{name}" if name else "*"
    if call.operation == "DeleteObjects":
        return [
            _object_check("DeleteObject", name, entry["Key"], entry.get("VersionId"), context)
            for entry in (call.parameter("Delete") or {}).get("Objects", [])
        ] or [Check("s3:DeleteObject", f"{bucket_arn}/*", context)]
    action = _ACTIONS.get(call.operation, call.operation)
    if key is None:
        return [Check(f"s3:{action}", bucket_arn, context)]
    needed = [_object_check(action, name, key, call.parameter("VersionId"), context)]
    if call.operation in ("PutObject", "CreateMultipartUpload", "CopyObject"):
        if call.parameter("Tagging"):
            needed.append(_object_check("PutObjectTagging", name, key, None, context))
        if call.parameter("ACL") and call.parameter("ACL") != "private":
            needed.append(_object_check("PutObjectAcl", name, key, None, context))
    source = call.parameter("CopySource")
    if source:
        needed += _source_checks(source, call, context)
    if call.operation in _READS:
        needed += _kms_check("kms:Decrypt", call, _stored(name, key, call.parameter("VersionId")))
    if call.operation in _WRITES:
        needed += _kms_check("kms:GenerateDataKey", call, None)
        if call.operation == "CreateMultipartUpload":  # S3 decrypts the parts to assemble them
            needed += [
                Check("kms:Decrypt", c.resource, c.context)
                for c in needed
                if c.action == "kms:GenerateDataKey"
            ]
    return needed


def hides_absence(call: Call) -> Check | None:
    """Return the check for s3:ListBucket if the key does not exist: without it S3 answers AccessDenied, not NoSuchKey."""
    if call.operation in ("GetObject", "HeadObject") and call.parameter("VersionId") is None:
        name = call.parameter("Bucket")
        if bucket(name) is not None and _stored(name, call.parameter("Key"), None) is None:
            return Check("s3:ListBucket", f"arn:aws:s3:::{name}", _keys(call))
    return None


def bucket_policy(arn: str) -> str | None:
    """Return the policy of the bucket in an S3 ARN, or None."""
    found = bucket(arn.removeprefix("arn:aws:s3:::").split("/", 1)[0])
    return found.policy.decode() if found is not None and found.policy else None


def restricts_public(arn: str) -> bool:
    """Report whether the bucket's public access block refuses anonymous callers regardless of its policy."""
    found = bucket(arn.removeprefix("arn:aws:s3:::").split("/", 1)[0])
    block = found.public_access_block if found is not None else None
    return block is not None and str(block.restrict_public_buckets).lower() == "true"


def _object_check(
    action: str, bucket_name: str, key: str, version: str | None, context: dict[str, Any]
) -> Check:
    if version:
        action, context = _VERSIONED.get(action, action), {**context, "s3:versionid": version}
    return Check(f"s3:{action}", f"arn:aws:s3:::{bucket_name}/{key}", context)


def _source_checks(source: Any, call: Call, context: dict[str, Any]) -> list[Check]:
    text = f"{source['Bucket']}/{source['Key']}" if isinstance(source, dict) else source
    path, _, query = text.partition("?versionId=")
    name, _, key = unquote(path).lstrip("/").partition("/")
    version = query or None
    check = _object_check("GetObject", name, key, version, context)
    return [check, *_kms_check("kms:Decrypt", call, _stored(name, key, version))]


def _stored(bucket_name: str, key: str, version: str | None) -> FakeKey | None:
    found = bucket(bucket_name)
    if found is None:
        return None
    if version is None:
        stored = found.keys.get(key)
    else:
        stored = next((k for k in found.keys.getlist(key, []) if str(k.version_id) == version), None)
    return stored if isinstance(stored, FakeKey) else None


def _kms_check(action: str, call: Call, stored: FakeKey | None) -> list[Check]:
    """Return the check on the KMS key of a stored object, or of an object to store."""
    name = call.parameter("Bucket")
    if action == "kms:Decrypt":
        if stored is None or stored.encryption != "aws:kms":
            return []
        key_id, name = stored.kms_key_id, stored.bucket_name
    else:
        default = _default_encryption(name)
        if (call.parameter("ServerSideEncryption") or default.get("SSEAlgorithm")) != "aws:kms":
            return []
        key_id = call.parameter("SSEKMSKeyId") or default.get("KMSMasterKeyID")
    if not key_id or "alias/aws/" in key_id:
        return []  # everyone in the account can use the AWS-managed key
    found = bucket(name)
    region = found.region_name if found is not None else call.region
    context = {
        "kms:viaservice": f"s3.{region}.amazonaws.com",
        "kms:calleraccount": ACCOUNT_ID,
        "kms:encryptioncontext:aws:s3:arn": f"arn:aws:s3:::{name}",
    }
    return [Check(action, kms_key_arn(key_id, region), context)]


def _default_encryption(bucket_name: str) -> dict[str, Any]:
    found = bucket(bucket_name)
    if found is None or not found.encryption:
        return {}
    rule = found.encryption.get("Rule") or {}
    rule = rule[0] if isinstance(rule, list) else rule
    return rule.get("ApplyServerSideEncryptionByDefault") or {}


def _keys(call: Call) -> dict[str, Any]:
    """Return S3's condition keys."""
    headers = call.headers
    values: dict[str, Any] = {
        "s3:delimiter": call.parameter("Delimiter"),
        "s3:max-keys": call.parameter("MaxKeys"),
        "s3:versionid": call.parameter("VersionId"),
        "s3:locationconstraint": (call.parameter("CreateBucketConfiguration") or {}).get(
            "LocationConstraint"
        ),
        "s3:resourceaccount": ACCOUNT_ID,
        "s3:tlsversion": "1.3",
        "s3:signatureversion": "AWS4-HMAC-SHA256",
        "s3:if-match": headers.get("If-Match"),
        "s3:if-none-match": headers.get("If-None-Match"),
    }
    if call.operation.startswith("List"):
        values["s3:prefix"] = call.parameter("Prefix") or ""
    for name in (
        "x-amz-acl",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-metadata-directive",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-storage-class",
    ):
        values[f"s3:{name}"] = headers.get(name)
    tags = parse_qs(headers.get("x-amz-tagging", ""))
    values |= {f"s3:requestobjecttag/{tag.lower()}": found[0] for tag, found in tags.items()}
    return {name: str(value) for name, value in values.items() if value is not None}
