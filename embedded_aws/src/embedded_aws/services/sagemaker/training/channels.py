"""Input channels: downloads objects from S3 as the job's role."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.s3_uri import split
from embedded_aws.services.sagemaker.training.objects import RoleObjects, S3Error


class JobFailure(Exception):
    """A training job fails. The message is its FailureReason."""


class Cancelled(Exception):
    """The job was stopped."""


def check(channels: list[dict[str, Any]]) -> None:
    """Raise ValidationException for a channel that the embedded AWS cannot provide."""
    names = [channel["ChannelName"] for channel in channels]
    if len(set(names)) < len(names):
        raise AWSValidationException(f"Channel names must be unique: {', '.join(names)}")
    for channel in channels:
        name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
        if source is None:
            raise AWSValidationException(f"Channel {name}: the embedded AWS reads S3DataSource only.")
        if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            raise AWSValidationException(
                f"Channel {name}: the embedded AWS reads S3DataType S3Prefix and ManifestFile, not {source['S3DataType']}."
            )
        if channel.get("InputMode") == "Pipe":
            raise AWSValidationException(
                f"Channel {name}: the embedded AWS supports input modes File and FastFile, not Pipe."
            )


def download(
    s3: RoleObjects,
    channel: dict[str, Any],
    folders: list[Path],
    role_arn: str,
    region: str,
    cancelled: Callable[[], bool],
) -> None:
    """Download a channel into the given folder of each instance.

    FullyReplicated gives every instance all objects, ShardedByS3Key every n-th one. Each object is downloaded once;
    further instances get hard links. Raises JobFailure, or Cancelled once `cancelled()` is true.
    """
    source = channel["DataSource"]["S3DataSource"]
    sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        objects = sorted(_objects(s3, source))
    except S3Error as error:
        raise JobFailure(_not_listed(source["S3Uri"], region, role_arn, error)) from error
    if not objects:
        raise JobFailure(_not_listed(source["S3Uri"], region, role_arn, None))

    try:
        for number, (bucket, key, relative) in enumerate(objects):
            if cancelled():
                raise Cancelled
            targets = [folders[number % len(folders)]] if sharded else folders
            first = _target(targets[0], relative)
            try:
                first.write_bytes(s3.read(bucket, key))
            except S3Error as error:
                raise JobFailure(
                    "ClientError: Data download failed: Failed to download data. "
                    f"S3 key: s3://{bucket}/{key}: {error}"
                ) from error
            for folder in targets[1:]:
                os.link(first, _target(folder, relative))
    except OSError as error:
        raise JobFailure(
            f"ClientError: Data download failed: Channel {channel['ChannelName']}: {error}"
        ) from error


def input_data_config(channels: list[dict[str, Any]], mode: str) -> dict[str, dict[str, str]]:
    """Return the content of inputdataconfig.json. mode: the job's TrainingInputMode."""
    config = {}
    for channel in channels:
        source = channel["DataSource"]["S3DataSource"]
        config[channel["ChannelName"]] = {
            "TrainingInputMode": channel.get("InputMode", mode),
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
    return config


def list_objects(s3: RoleObjects, bucket: str, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Yield bucket, key and relative path of every object below a prefix. Raises S3Error."""
    for key in s3.list(bucket, prefix):
        if not key.endswith("/"):  # a folder that the console created
            yield bucket, key, key[len(prefix) :].lstrip("/") or PurePosixPath(key).name


def _objects(s3: RoleObjects, source: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    bucket, key = split(source["S3Uri"])
    if source["S3DataType"] == "S3Prefix":
        yield from list_objects(s3, bucket, key)
        return
    uri = source["S3Uri"]
    try:
        manifest = json.loads(s3.read(bucket, key))
        prefix, names = manifest[0]["prefix"], manifest[1:]
    except (ValueError, LookupError, TypeError) as error:
        raise JobFailure(
            f'ClientError: Data download failed: {uri} is not a manifest ([{{"prefix": "s3://..."}}, "name", ...]).'
        ) from error
    for name in names:
        yield *split(prefix + name), name


def _target(folder: Path, relative: str) -> Path:
    path = folder / relative
    if ".." in PurePosixPath(relative).parts:
        raise JobFailure(f"ClientError: Data download failed: the key {relative} leaves its channel.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _not_listed(uri: str, region: str, role_arn: str, error: S3Error | None) -> str:
    """Return AWS's message for an input without objects, whatever the reason."""
    bucket = split(uri)[0]
    reason = (
        f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({region}), that objects exist under that S3 "
        f'prefix, and that the role "{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
    )
    if error:
        reason += f" Error message from S3: {error}"
    return reason
