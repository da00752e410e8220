"""Input channels: objects of S3, downloaded as the job's role."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError
from moto.sagemaker.exceptions import AWSValidationException

WORKERS = 8


class JobFailure(Exception):
    """A training job's FailureReason, in AWS's words."""


class Cancelled(Exception):
    """The job was stopped meanwhile."""


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
                f"Channel {name}: the embedded AWS does input modes File and FastFile, not Pipe."
            )


def download(
    s3: Any,
    channel: dict[str, Any],
    folders: list[Path],
    role_arn: str,
    region: str,
    cancelled: Callable[[], bool],
) -> None:
    """Fill the folder of this channel on each of the job's instances.

    FullyReplicated gives every instance all objects, ShardedByS3Key every n-th. One copy is downloaded; further
    instances get hard links to it. Raises JobFailure, or Cancelled once `cancelled()` is true.
    """
    source = channel["DataSource"]["S3DataSource"]
    sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        objects = sorted(_objects(s3, source))
    except ClientError as error:
        raise JobFailure(_not_listed(source["S3Uri"], region, role_arn, error)) from error
    if not objects:
        raise JobFailure(_not_listed(source["S3Uri"], region, role_arn, None))

    def fetch(number_object: tuple[int, tuple[str, str, str]]) -> None:
        number, (bucket, key, relative) = number_object
        if cancelled():
            raise Cancelled
        targets = [folders[number % len(folders)]] if sharded else folders
        first = _target(targets[0], relative)
        try:
            with first.open("wb") as file:
                shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file)
        except ClientError as error:
            code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
            raise JobFailure(
                "ClientError: Data download failed: Failed to download data. "
                f"S3 key: s3://{bucket}/{key}: {code}: {text}"
            ) from error
        for folder in targets[1:]:
            os.link(first, _target(folder, relative))

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(fetch, enumerate(objects)))
    except OSError as error:
        raise JobFailure(
            f"ClientError: Data download failed: Channel {channel['ChannelName']}: {error}"
        ) from error


def input_data_config(channels: list[dict[str, Any]], mode: str) -> dict[str, dict[str, str]]:
    """The contents of inputdataconfig.json. `mode`: the job's TrainingInputMode."""
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


def split(uri: str) -> tuple[str, str]:
    """(bucket, key) of an S3 URI."""
    parsed = urlparse(uri)
    return parsed.netloc, parsed.path.lstrip("/")


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, str, str]]:
    """(bucket, key, path relative to the prefix) of every object below a prefix."""
    for answer in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in answer.get("Contents", []):
            key = item["Key"]
            if not key.endswith("/"):
                yield bucket, key, key[len(prefix) :].lstrip("/") or PurePosixPath(key).name


def _objects(s3: Any, source: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    bucket, key = split(source["S3Uri"])
    if source["S3DataType"] == "S3Prefix":
        yield from list_objects(s3, bucket, key)
        return
    uri = source["S3Uri"]
    try:
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
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


def _not_listed(uri: str, region: str, role_arn: str, error: ClientError | None) -> str:
    """AWS's words for an input without objects, whatever the reason."""
    bucket = split(uri)[0]
    reason = (
        f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({region}), that objects exist under that S3 "
        f'prefix, and that the role "{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
    )
    if error:
        text = error.response["Error"]
        reason += f" Error message from S3: {text['Code']}: {text['Message']}"
    return reason
