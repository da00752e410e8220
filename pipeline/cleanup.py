"""Delete what Terraform does not own and a destroyed stack would leave or refuse: objects, models, states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from ops import bucket
from ops.aws import error_code, is_missing
from ops.environment import Environment
from ops.s3 import S3Uri
from ops.terraform.stacks import access_key

Progress = Callable[[str], None]


def model_versions(env: Environment) -> list[str]:
    """Return the ARNs of the versions in the model package group."""
    pages = (
        env.client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=env.settings.prefix)
    )
    try:
        return [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if is_missing(error):
            return []  # there is no such group
        raise


def model_objects(env: Environment) -> frozenset[str]:
    """Return the keys in the data bucket that the registered versions name: artifacts, metrics."""
    sagemaker = env.client("sagemaker")
    return frozenset(
        uri.key
        for arn in model_versions(env)
        for text in _strings(sagemaker.describe_model_package(ModelPackageName=arn))
        if text.startswith("s3://") and (uri := S3Uri.parse(text)).bucket == env.data_bucket
    )


def delete_models(env: Environment, progress: Progress) -> int:
    """Delete every version in the model package group, as only an empty group can be deleted. Returns how many."""
    sagemaker, versions = env.client("sagemaker"), model_versions(env)
    for number, arn in enumerate(versions, 1):
        progress(f"deleting model version {number} of {len(versions)}")
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(versions)


def delete_states(env: Environment, access: bool = False) -> None:
    """Delete the environment's states, or that of stack access, but no lock: the caller holds them."""
    prefix = access_key(env.settings) if access else f"{env.settings.environment}/"
    bucket.empty(env, env.state_bucket, prefix, chosen=lambda key: not key.endswith(".tflock"))


def delete_state_bucket(env: Environment, access: bool = False) -> None:
    """Delete what released locks have left, and the state bucket once it is empty.

    Does nothing if somebody has written a state or taken a lock in the meantime.
    """
    prefix = access_key(env.settings) if access else f"{env.settings.environment}/"
    try:
        if env.client("s3").list_objects_v2(Bucket=env.state_bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]:
            return
        bucket.empty(env, env.state_bucket, prefix)
        if not bucket.holds_anything(env, env.state_bucket):
            env.client("s3").delete_bucket(Bucket=env.state_bucket)
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise


def _strings(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
