"""Delete what Terraform does not own and a destroyed stack would leave or refuse: objects, models, states."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from ops import bucket
from ops.aws import error_code
from ops.environment import Environment
from ops.s3 import S3Uri
from ops.terraform.stacks import access_key
from ops.waiting import wait_for

DELETION_SECONDS = 900
DEPLOYMENT_SECONDS = 3600  # after a deployment's own limit SageMaker rolls it back
_IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack")

Progress = Callable[[str], None]


def wait_until_endpoint_can_be_deleted(env: Environment, endpoint: str, progress: Progress) -> None:
    """Wait for the end of a deployment of an endpoint: until then, SageMaker refuses to delete it."""
    limit = (env.settings.serving.deployment.maximum_execution_seconds or 0) + DEPLOYMENT_SECONDS
    began, last = time.monotonic(), [""]

    def is_stable() -> bool | None:
        last[0] = _endpoint_status(env, endpoint)
        return None if last[0] in _IN_PROGRESS else True

    wait_for(
        is_stable,
        seconds=limit,
        shortest=2,
        on_wait=lambda: progress(
            f"waiting until the deployment of {endpoint} has ended ({last[0]}, {time.monotonic() - began:.0f} s)"
        ),
        on_timeout=lambda: (
            f"The endpoint {endpoint} has been {last[0]} for {limit // 60} minutes, and SageMaker deletes none in this state: "
            "look at the SageMaker console, then run the same command again."
        ),
    )


def wait_until_endpoint_is_deleted(env: Environment, endpoint: str, progress: Progress) -> None:
    """Wait until an endpoint that is being deleted is gone: until then it bills."""
    began = time.monotonic()
    wait_for(
        lambda: None if _endpoint_status(env, endpoint) else True,
        seconds=DELETION_SECONDS,
        shortest=2,
        on_wait=lambda: progress(f"waiting until {endpoint} is deleted ({time.monotonic() - began:.0f} s)"),
        on_timeout=lambda: (
            f"The endpoint {endpoint} still exists {DELETION_SECONDS // 60} minutes after its deletion began: "
            "look at the SageMaker console, then run the same command again."
        ),
    )


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
        if error_code(error) in ("ValidationException", "ResourceNotFound"):
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


def _endpoint_status(env: Environment, endpoint: str) -> str:
    """Return an endpoint's status; empty if there is none."""
    try:
        found = env.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error_code(error) in ("ValidationException", "ResourceNotFound"):
            return ""
        raise
    return str(found["EndpointStatus"])


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
