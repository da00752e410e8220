"""Rules of Amazon S3, and what of its API is not implemented: moto answers the latter with something else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from moto.core.utils import get_service_model
from moto.s3.models import s3_backends
from moto.s3.utils import bucket_policy_is_public

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import bucket_policy
from embedded_aws.validation.table import Rule, between, longest, value_of

API = "Amazon S3 API Reference, "
GUIDE = "Amazon S3 User Guide, "

_KINDS = ("Analytics", "IntelligentTiering", "Metrics")
# Operations that moto does not know. It answers with a listing, with the object, or deletes the bucket.
NOT_IMPLEMENTED = frozenset(
    {
        *(f"{verb}Bucket{kind}Configuration" for verb in ("Delete", "Get", "Put") for kind in _KINDS),
        *(f"ListBucket{kind}Configurations" for kind in _KINDS),
        *(
            f"{verb}BucketMetadata{kind}Configuration"
            for verb in ("Create", "Delete", "Get")
            for kind in ("", "Table")
        ),
        *(f"UpdateBucketMetadata{kind}TableConfiguration" for kind in ("Annotation", "Inventory", "Journal")),
        *(f"{verb}BucketAbac" for verb in ("Get", "Put")),
        *(f"{verb}ObjectAnnotation" for verb in ("Delete", "Get", "Put")),
        "CreateSession",
        "DeleteBucketInventoryConfiguration",
        "GetObjectRetention",
        "GetObjectTorrent",
        "ListDirectoryBuckets",
        "ListObjectAnnotations",
        "PutBucketRequestPayment",
        "RenameObject",
        "UpdateObjectEncryption",
        "WriteGetObjectResponse",
    }
)
# Headers of implemented operations that change what a request means, and that moto ignores.
HEADERS_NOT_IMPLEMENTED = re.compile(
    r"x-amz-(copy-source-)?server-side-encryption-customer-.*"
    r"|x-amz-server-side-encryption-context"
    r"|x-amz-copy-source-if-(match|modified-since|unmodified-since)"
    r"|x-amz-if-match-.*|x-amz-write-offset-bytes|x-amz-mfa|x-amz-mp-object-size|x-amz-rename-source.*"
)
# Headers and query parameters that are not of an operation: signatures, SDKs, user metadata.
_COMMON_HEADERS = re.compile(
    r"x-amz-(date|content-sha256|security-token|user-agent|decoded-content-length|trailer|te|meta-.+"
    r"|sdk-checksum-algorithm|checksum-.+|source-(arn|account)|api-version|expected-bucket-owner|request-payer)"
)
_COMMON_ARGUMENTS = re.compile(r"x-.*|X-Amz-.*|AWSAccessKeyId|Signature|Expires|response-.*")
BUCKET_NAME = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.))*[a-z0-9]"
)
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an")
_LARGEST = 2**31 - 1


def _unknown_operation(call: Call) -> str | None:
    if call.operation in NOT_IMPLEMENTED:
        return f"The embedded AWS does not support this: s3: {call.operation}"
    return None


@cache
def _known(operation: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the query parameters and headers (lower case) of an operation's model."""
    model: Any = get_service_model("s3").operation_model(operation)
    members = model.input_shape.members.values() if model.input_shape else ()
    names: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for member in members:
        location = member.serialization.get("location")
        if location in names:
            names[location].add(member.serialization["name"])
    literals = {part.partition("=")[0] for part in model.http["requestUri"].partition("?")[2].split("&")}
    return frozenset(names["querystring"] | literals), frozenset(name.lower() for name in names["header"])


def _unknown_argument(call: Call) -> str | None:
    known = _known(call.operation)[0]
    for name in call.arguments:
        if name not in known and not _COMMON_ARGUMENTS.fullmatch(name):
            return f"A query parameter you provided implies functionality that is not implemented: {name}"
    return None


def _unknown_header(call: Call) -> str | None:
    known = _known(call.operation)[1]
    names = call.headers.keys()  # werkzeug's headers iterate over pairs
    for name in names:
        name = name.lower()
        if name.startswith("x-amz-") and (
            HEADERS_NOT_IMPLEMENTED.fullmatch(name)
            or (name not in known and not _COMMON_HEADERS.fullmatch(name))
        ):
            return f"A header you provided implies functionality that is not implemented: {name}"
    return None


def _other_owner(call: Call) -> str | None:
    names = ("ExpectedBucketOwner", "ExpectedSourceBucketOwner")
    return None if {ACCOUNT_ID, None} >= {call.parameter(name) for name in names} else "Access Denied"


def _bucket_name(call: Call) -> str | None:
    name = call.parameter("Bucket") or ""
    if 3 <= len(name) <= 63 and BUCKET_NAME.fullmatch(name) and not name.endswith(_SUFFIXES):
        return None
    return "The specified bucket is not valid."


def _key_length(call: Call) -> str | None:
    return "Your key is too long" if len((call.parameter("Key") or "").encode()) > 1024 else None


def _metadata_size(call: Call) -> str | None:
    metadata = call.parameter("Metadata") or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) <= 2048:
        return None
    return "Your metadata headers exceed the maximum allowed metadata size"


def _version_id(call: Call) -> str | None:
    version = call.parameter("VersionId")
    if version == "":
        return "Version id cannot be the empty string"
    if version is None or re.fullmatch(r"[A-Za-z0-9._-]{4,1024}", version):
        return None
    return "Invalid version id specified"


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "ContentMD5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "ChecksumCRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "ChecksumSHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "ChecksumSHA256": lambda data: hashlib.sha256(data).digest(),
}


def _given_digests(call: Call) -> dict[str, tuple[str, bytes]]:
    """Return the digests of a body that is not streamed in chunks, by member: as sent, and decoded."""
    found = {}
    for member in _DIGESTS:
        if sent := call.parameter(member):
            try:
                found[member] = sent, base64.b64decode(sent, validate=True)
            except binascii.Error:
                found[member] = sent, b""
    return found


def _unreadable_md5(call: Call) -> str | None:
    md5 = call.parameter("ContentMD5")
    if md5 is None or len(_given_digests(call)["ContentMD5"][1] if md5 else b"") == 16:
        return None
    return "The Content-MD5 you specified was invalid."


def _wrong_digest(call: Call) -> str | None:
    if call.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return None
    for member, (_, expected) in _given_digests(call).items():
        if _DIGESTS[member](call.body) != expected:
            if member == "ContentMD5":
                return "The Content-MD5 you specified did not match what we received."
            return (
                f"The {member.removeprefix('Checksum')} you specified did not match the calculated checksum."
            )
    return None


def _policy(call: Call) -> str | None:
    return bucket_policy(call.parameters["Policy"], call.parameters["Bucket"])


def _public_policy(call: Call) -> str | None:
    found = s3_backends[ACCOUNT_ID]["aws"].buckets.get(call.parameters["Bucket"])
    block = found.public_access_block if found is not None else None
    if block is None or str(block.block_public_policy).lower() != "true":
        return None
    return "Access Denied" if bucket_policy_is_public(call.parameters["Policy"]) else None


def _key_of_encryption(call: Call) -> str | None:
    for rule in value_of(call, "ServerSideEncryptionConfiguration.Rules") or ():
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if default.get("KMSMasterKeyID") and default["SSEAlgorithm"] == "AES256":
            return "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
    return None


def _lifecycle(call: Call) -> str | None:
    """Return what is wrong with a lifecycle configuration."""
    rules = value_of(call, "LifecycleConfiguration.Rules") or ()
    names = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(names) > len(set(names)):
        return "Rule ID must be unique. Found same ID for more than one rule"
    for rule in rules:
        if not any(rule.get(action) for action in _LIFECYCLE_ACTIONS):
            return "At least one action needs to be specified in a rule."
        for days in _days(rule):
            if days <= 0:
                return "'Days' for Expiration, Transition and AbortIncompleteMultipartUpload action must be a positive integer"
        for transition in rule.get("Transitions") or ():
            if (
                transition.get("StorageClass") in ("STANDARD_IA", "ONEZONE_IA")
                and transition.get("Days", 30) < 30
            ):
                return (
                    "'Days' in Transition action must be greater than or equal to 30 for storageClass "
                    f"'{transition['StorageClass']}'"
                )
    return None


def _days(rule: dict[str, Any]) -> list[int]:
    found = [
        (rule.get("Expiration") or {}).get("Days"),
        (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays"),
        (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    ]
    return [days for days in found if days is not None]


_LIFECYCLE_ACTIONS = (
    *("Expiration", "Transitions", "NoncurrentVersionExpiration", "NoncurrentVersionTransitions"),
    "AbortIncompleteMultipartUpload",
)

ALL = ("*",)
_OBJECT = (
    "GetObject",
    "HeadObject",
    "DeleteObject",
    "GetObjectTagging",
    "PutObjectTagging",
    "GetObjectAcl",
    "PutObjectAcl",
)
_WITH_BODY = ("PutObject", "UploadPart", "DeleteObjects")
_PART = "Part number must be an integer between 1 and 10000, inclusive"
_PAGE = "Argument {} must be an integer between 0 and 2147483647"

RULES: tuple[Rule, ...] = (
    Rule(ALL, _unknown_operation, "NotImplemented", "none: not implemented here", 501),
    Rule(ALL, _unknown_argument, "NotImplemented", "none: not implemented here", 501),
    Rule(ALL, _unknown_header, "NotImplemented", API + "Error responses: NotImplemented", 501),
    Rule(
        ALL,
        _other_owner,
        "AccessDenied",
        GUIDE + "Verifying bucket ownership with bucket owner condition",
        403,
    ),
    Rule(("CreateBucket",), _bucket_name, "InvalidBucketName", GUIDE + "Bucket naming rules"),
    Rule(ALL, _key_length, "KeyTooLongError", GUIDE + "Naming Amazon S3 objects"),
    Rule(
        ("PutObject", "CreateMultipartUpload", "CopyObject"),
        _metadata_size,
        "MetadataTooLarge",
        GUIDE + "Working with object metadata",
    ),
    Rule(_OBJECT, _version_id, "InvalidArgument", API + "Error responses: InvalidArgument"),
    Rule(
        ("UploadPart", "UploadPartCopy"),
        between("PartNumber", 1, 10_000, _PART),
        "InvalidArgument",
        API + "UploadPart",
    ),
    *(
        Rule(
            (operation,), between(member, 0, _LARGEST, _PAGE.format(name)), "InvalidArgument", API + operation
        )
        for operation, member, name in (
            ("ListObjects", "MaxKeys", "max-keys"),
            ("ListObjectsV2", "MaxKeys", "max-keys"),
            ("ListObjectVersions", "MaxKeys", "max-keys"),
            ("ListMultipartUploads", "MaxUploads", "max-uploads"),
            ("ListParts", "MaxParts", "max-parts"),
        )
    ),
    Rule(("PutBucketPolicy",), _policy, "MalformedPolicy", GUIDE + "Policies and permissions in Amazon S3"),
    Rule(("PutBucketPolicy",), _public_policy, "AccessDenied", API + "PublicAccessBlockConfiguration", 403),
    Rule(
        ("PutBucketEncryption",), _key_of_encryption, "InvalidArgument", API + "ServerSideEncryptionByDefault"
    ),
    Rule(("PutBucketLifecycleConfiguration",), _lifecycle, "InvalidArgument", API + "LifecycleRule"),
    Rule(_WITH_BODY, _unreadable_md5, "InvalidDigest", API + "Error responses: InvalidDigest"),
    Rule(_WITH_BODY, _wrong_digest, "BadDigest", API + "Error responses: BadDigest"),
    Rule(
        ("PutBucketTagging",),
        longest("Tagging.TagSet", 50, "Bucket tag count cannot be greater than 50"),
        "BadRequest",
        GUIDE + "Using cost allocation S3 bucket tags",
    ),
)
