"""How the bucket, the key and the parameters are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.aws import tag_dict
from ops.terraform.adoption.rules import (
    Account,
    ByName,
    Found,
    Listed,
    Recreated,
    Rule,
    Values,
    ask,
    in_parallel,
)


def _bucket(account: Account, values: Values) -> Found | None:
    s3, name = account.client("s3"), values["bucket"]
    if ask(s3.head_bucket, "404", "NoSuchBucket", Bucket=name) is None:
        return None
    reply = ask(s3.get_bucket_tagging, "NoSuchTagSet", Bucket=name)
    return Found(name, tags=tag_dict(reply and reply["TagSet"]))


def _keys(account: Account) -> list[Mapping[str, Any]]:
    """Return this environment's keys that are not being deleted, those with an alias first.

    Other keys are not ours to describe: the operator's permission depends on the key's tags.
    """
    kms = account.client("kms")
    ids = [key["KeyId"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
    aliases = kms.get_paginator("list_aliases").paginate()
    with_alias = {alias.get("TargetKeyId") for page in aliases for alias in page["Aliases"]}

    def ours(key_id: str) -> Mapping[str, Any] | None:
        reply = ask(kms.describe_key, "AccessDeniedException", KeyId=key_id)
        key = reply and reply["KeyMetadata"]
        if (
            not key
            or key["KeyManager"] != "CUSTOMER"
            or key["KeyState"] in ("PendingDeletion", "Unavailable")
        ):
            return None
        tags = ask(kms.list_resource_tags, "AccessDeniedException", KeyId=key_id)
        return key if tags and account.owns(tag_dict(tags["Tags"])) else None

    keys = [key for key in in_parallel(ours, ids) if key]
    return sorted(keys, key=lambda key: (key["KeyId"] not in with_alias, key["CreationDate"]))


def _alias(account: Account, values: Values) -> Found | None:
    pages = account.client("kms").get_paginator("list_aliases").paginate()
    alias = next((a for page in pages for a in page["Aliases"] if a["AliasName"] == values["name"]), None)
    if alias is None:
        return None
    tags = ask(
        account.client("kms").list_resource_tags,
        "AccessDeniedException",  # the key is not ours
        "NotFoundException",
        KeyId=alias.get("TargetKeyId", ""),
    )
    return Found(values["name"], tags=tag_dict(tags and tags["Tags"]))


def _parameter(account: Account, values: Values) -> Found | None:
    reply = ask(
        account.client("ssm").list_tags_for_resource,
        "InvalidResourceId",
        ResourceType="Parameter",
        ResourceId=values["name"],
    )
    return reply and Found(values["name"], tags=tag_dict(reply["TagList"]))


def _replaced(operation: str) -> Recreated:
    return Recreated(f"{operation} replaces the bucket's configuration, and the bucket is ours")


RULES: dict[str, Rule] = {
    "aws_kms_alias": ByName(_alias),
    "aws_kms_key": Listed(_keys, lambda item, values: True, lambda key: Found(key["KeyId"])),
    "aws_s3_bucket": ByName(
        _bucket,
        untagged=True,
        why="Terraform tags a bucket after it has created it, and the name contains the account",
    ),
    "aws_s3_bucket_lifecycle_configuration": _replaced("PutBucketLifecycleConfiguration"),
    "aws_s3_bucket_ownership_controls": _replaced("PutBucketOwnershipControls"),
    "aws_s3_bucket_policy": _replaced("PutBucketPolicy"),
    "aws_s3_bucket_public_access_block": _replaced("PutPublicAccessBlock"),
    "aws_s3_bucket_server_side_encryption_configuration": _replaced("PutBucketEncryption"),
    "aws_s3_bucket_versioning": _replaced("PutBucketVersioning"),
    "aws_ssm_parameter": ByName(_parameter),
}
