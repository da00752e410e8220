"""Rules of S3 about objects, uploads, ACLs and destinations of notifications."""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import lambda_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.references import key_exists
from embedded_aws.validation.table import Rule, longest, pattern, value_of

API = "Amazon S3 API Reference, "
GUIDE = "Amazon S3 User Guide, "
ACLS_ALLOWED = ("BucketOwnerPreferred", "ObjectWriter")
MAX_DELETED = 1000
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
_MALFORMED = "The XML you provided was not well-formed or did not validate against our published schema"


def _bucket(call: Call) -> Any:
    return s3_backends[ACCOUNT_ID]["aws"].buckets.get(call.parameter("Bucket"))


def _repeated_tags(call: Call) -> str | None:
    keys = [tag["Key"] for tag in value_of(call, "Tagging.TagSet") or ()]
    return "Cannot provide multiple Tags with the same key" if len(keys) > len(set(keys)) else None


def _no_upload(call: Call) -> str | None:
    bucket = _bucket(call)
    if bucket is None or call.parameters["UploadId"] in bucket.multiparts:
        return None
    if call.operation == "CompleteMultipartUpload":  # may be repeated
        return None
    return (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed."
    )


def _part_order(call: Call) -> str | None:
    numbers = [part["PartNumber"] for part in value_of(call, "MultipartUpload.Parts") or ()]
    if numbers == sorted(set(numbers)):
        return None
    return "The list of parts was not in ascending order. Parts must be ordered by part number."


def _acl(call: Call) -> str | None:
    bucket = _bucket(call)
    ownership = bucket.ownership_rule if bucket is not None else None
    if bucket is None or (isinstance(ownership, str) and ownership in ACLS_ALLOWED):
        return None
    canned = call.parameter("ACL")
    granted = call.parameter("AccessControlPolicy") or any(call.parameter(name) for name in _GRANTS)
    return (
        "The bucket does not allow ACLs"
        if granted or canned not in (None, "bucket-owner-full-control")
        else None
    )


def _mfa(call: Call) -> str | None:
    deletion = value_of(call, "VersioningConfiguration.MFADelete")
    return "The embedded AWS does not support this: s3: MFADelete" if deletion == "Enabled" else None


def _key(call: Call) -> str | None:
    key = call.parameter("SSEKMSKeyId")
    bucket = _bucket(call)
    region = bucket.region_name if bucket is not None else call.region
    return f"Invalid keyId {key}" if key and not key_exists(key, region) else None


def _key_without_kms(call: Call) -> str | None:
    if not call.parameter("SSEKMSKeyId") or str(call.parameter("ServerSideEncryption")).startswith("aws:kms"):
        return None
    return "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"


def _destinations(call: Call) -> str | None:
    wanted = call.parameter("NotificationConfiguration") or {}
    for kind, member, exists in (
        ("QueueConfigurations", "QueueArn", _queue_exists),
        ("TopicConfigurations", "TopicArn", _topic_exists),
        ("LambdaFunctionConfigurations", "LambdaFunctionArn", _function_exists),
    ):
        if not all(exists(entry[member]) for entry in wanted.get(kind) or ()):
            return "Unable to validate the following destination configurations"
    return None


def _queue_exists(arn: str) -> bool:
    parts = arn.split(":")
    return len(parts) == 6 and parts[5] in sqs_backends[ACCOUNT_ID][parts[3]].queues


def _topic_exists(arn: str) -> bool:
    parts = arn.split(":")
    return len(parts) == 6 and arn in sns_backends[ACCOUNT_ID][parts[3]].topics


def _function_exists(arn: str) -> bool:
    parts = arn.split(":")
    known = lambda_backends[ACCOUNT_ID][parts[3]].list_functions() if len(parts) >= 7 else ()
    return any(function.function_name == parts[6] for function in known)


_WRITES = ("PutObject", "CreateMultipartUpload", "CopyObject")
_REDIRECT = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."

RULES: tuple[Rule, ...] = (
    Rule(
        ("PutObjectTagging", "PutBucketTagging"),
        _repeated_tags,
        "InvalidTag",
        API + "PutObjectTagging: errors",
    ),
    Rule(
        ("UploadPart", "UploadPartCopy", "ListParts"),
        _no_upload,
        "NoSuchUpload",
        API + "UploadPart: errors",
        404,
    ),
    Rule(
        ("CompleteMultipartUpload",), _part_order, "InvalidPartOrder", API + "CompleteMultipartUpload: errors"
    ),
    Rule(
        (*_WRITES, "PutBucketAcl", "PutObjectAcl"),
        _acl,
        "AccessControlListNotSupported",
        GUIDE + "Controlling ownership of objects and disabling ACLs for your bucket",
    ),
    Rule(("PutBucketVersioning",), _mfa, "NotImplemented", "none: not implemented here", 501),
    Rule(
        ("DeleteObjects",),
        longest("Delete.Objects", MAX_DELETED, _MALFORMED),
        "MalformedXML",
        API + "DeleteObjects",
    ),
    Rule(
        ("PutObject", "CopyObject"),
        pattern("WebsiteRedirectLocation", r"(?s:(/|https?://).*)", _REDIRECT),
        "InvalidRedirectLocation",
        API + "PutObject: x-amz-website-redirect-location",
    ),
    Rule(
        _WRITES, _key_without_kms, "InvalidArgument", GUIDE + "Specifying server-side encryption with AWS KMS"
    ),
    Rule(_WRITES, _key, "KMS.NotFoundException", GUIDE + "Specifying server-side encryption with AWS KMS"),
    Rule(
        ("GetObject", "HeadObject"),
        pattern(
            "Range", r"bytes=(\d+-\d*|-\d+)", "The embedded AWS does not support this: s3: Range {value}"
        ),
        "NotImplemented",
        "none: not implemented here",
        501,
    ),
    Rule(
        ("PutBucketNotificationConfiguration",),
        _destinations,
        "InvalidArgument",
        API + "PutBucketNotificationConfiguration",
    ),
)
