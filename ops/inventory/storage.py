"""Kinds that store data, logs, parameters and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from ops import bucket as storage
from ops.aws import error_code, tag_dict
from ops.inventory import prices
from ops.inventory.model import Kind, Place, Resource, pages

_COUNTED_PAGES = 100  # pages of 1,000 versions from which a bucket's cost is computed


def _file_systems(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("efs"), "describe_file_systems", "FileSystems"):
        if item["LifeCycleState"] == "deleted":
            continue
        tags = tag_dict(item.get("Tags"))
        yield Resource(
            f"{tags.get('Name', '')} {item['FileSystemId']}".strip(),
            place.arn("elasticfilesystem", f"file-system/{item['FileSystemId']}"),
            item["FileSystemId"],
            tags,
            ending=item["LifeCycleState"] == "deleting",
            monthly=prices.stored("efs_gb", (item.get("SizeInBytes") or {}).get("Value", 0)),
        )


def _delete_file_system(place: Place, system: Resource) -> None:
    efs = place.client("efs")
    for target in pages(efs, "describe_mount_targets", "MountTargets", FileSystemId=system.id):
        efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    efs.delete_file_system(FileSystemId=system.id)


def _repositories(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("ecr"), "describe_repositories", "repositories"):
        yield Resource(item["repositoryName"], item["repositoryArn"], item["repositoryName"])


def _repository(place: Place, repository: Resource) -> Resource:
    images = pages(place.client("ecr"), "describe_images", "imageDetails", repositoryName=repository.id)
    size = sum(image.get("imageSizeInBytes") or 0 for image in images)
    return replace(repository, monthly=prices.stored("ecr_gb", size))


def _log_groups(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("logs"), "describe_log_groups", "logGroups"):
        name = item["logGroupName"]
        cost = prices.stored("logs_gb", item.get("storedBytes") or 0)
        yield Resource(name, place.arn("logs", f"log-group:{name}"), name, monthly=cost)


def _parameters(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("ssm"), "describe_parameters", "Parameters"):
        name = item["Name"]
        yield Resource(name, place.arn("ssm", f"parameter/{name.lstrip('/')}"), name)


def _buckets(place: Place) -> Iterator[Resource]:
    """List the buckets of all regions without that of the states, which all environments share."""
    for item in pages(place.client("s3"), "list_buckets", "Buckets"):
        if item["Name"] != place.env.state_bucket:
            yield Resource(item["Name"], f"arn:{place.env.partition}:s3:::{item['Name']}", item["Name"])


def _bucket(place: Place, bucket: Resource) -> Resource:
    """Price a bucket by its versions; None if they are too many to list here."""
    size, s3 = 0, place.client("s3")
    for number, page in enumerate(s3.get_paginator("list_object_versions").paginate(Bucket=bucket.id)):
        if number == _COUNTED_PAGES:
            return replace(bucket, monthly=None)
        size += sum(version["Size"] for version in page.get("Versions") or [])
    return replace(bucket, monthly=prices.stored("s3_gb", size))


def _delete_bucket(place: Place, bucket: Resource) -> None:
    """Delete a bucket with all versions. Raises OperatorError if S3 does not delete one."""
    storage.empty(place.env, bucket.id, progress=place.progress)
    place.client("s3").delete_bucket(Bucket=bucket.id)


def _aliases(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("kms"), "list_aliases", "Aliases"):
        if item["AliasName"].startswith("alias/aws/") or not item.get("TargetKeyId"):
            continue
        yield Resource(item["AliasName"], item["AliasArn"], item["AliasName"])


def _keys(place: Place) -> Iterator[Resource]:
    """List all keys, each named by its aliases. AWS's own keys among them have no other alias than AWS's."""
    kms = place.client("kms")
    names: dict[str, list[str]] = {}
    for item in pages(kms, "list_aliases", "Aliases"):
        names.setdefault(item.get("TargetKeyId", ""), []).append(item["AliasName"])
    for item in pages(kms, "list_keys", "Keys"):
        aliases = names.get(item["KeyId"], [])
        if not any(alias.startswith("alias/aws/") for alias in aliases):
            yield Resource(
                " ".join([*sorted(aliases), item["KeyId"]]),
                place.arn("kms", f"key/{item['KeyId']}"),
                item["KeyId"],
            )


def _key(place: Place, key: Resource) -> Resource | None:
    """Leave out keys of AWS and those pending deletion, which cost nothing."""
    kms = place.client("kms")
    try:
        found: dict[str, Any] = kms.describe_key(KeyId=key.id)["KeyMetadata"]
        tags = tag_dict(kms.list_resource_tags(KeyId=key.id)["Tags"])
    except ClientError as error:
        if error_code(error) in ("AccessDeniedException", "NotFoundException"):
            return None  # another environment's: its own policy denies it
        raise
    if found.get("KeyManager") == "AWS" or found["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"):
        return None
    return replace(key, tags=tags, monthly=prices.flat("kms_key"))


def _delete_key(place: Place, key: Resource) -> None:
    """Schedule the deletion of a key, after the days that the settings say."""
    days = place.env.settings.key_deletion_window_days
    place.client("kms").schedule_key_deletion(KeyId=key.id, PendingWindowInDays=days)


KINDS = (
    Kind(
        "file system",
        (),
        ("elasticfilesystem:file-system/",),
        _file_systems,
        _delete_file_system,
        holds_data=True,
    ),
    Kind(
        "repository",
        (),
        ("ecr:repository/",),
        _repositories,
        lambda place, item: place.client("ecr").delete_repository(repositoryName=item.id, force=True),
        _repository,
        holds_data=True,
    ),
    Kind(
        "log group",
        ("aws_cloudwatch_log_group",),
        ("logs:log-group:",),
        _log_groups,
        lambda place, item: place.client("logs").delete_log_group(logGroupName=item.id),
    ),
    Kind(
        "parameter",
        ("aws_ssm_parameter",),
        ("ssm:parameter/",),
        _parameters,
        lambda place, item: place.client("ssm").delete_parameter(Name=item.id),
    ),
    Kind("bucket", ("aws_s3_bucket",), ("s3:",), _buckets, _delete_bucket, _bucket, holds_data=True),
    Kind(
        "KMS alias",
        ("aws_kms_alias",),
        (),
        _aliases,
        lambda place, item: place.client("kms").delete_alias(AliasName=item.id),
    ),
    Kind("KMS key", ("aws_kms_key",), ("kms:key/",), _keys, _delete_key, _key),
)
"""In the order of their deletion."""
