"""Delete what Terraform does not own and a destroyed stack would leave or refuse: objects, models, states."""

from __future__ import annotations

from botocore.exceptions import ClientError, WaiterError

from ops import bucket
from ops.aws import error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.terraform.stacks import access_key

ENDPOINT_SECONDS = 900
_POLL_SECONDS = 5


def wait_until_endpoint_is_deleted(env: Environment, endpoint: str) -> None:
    """Wait until an endpoint that is being deleted is gone. Terraform does not wait, and until then it bills."""
    waiter = env.client("sagemaker").get_waiter("endpoint_deleted")
    config = {"Delay": _POLL_SECONDS, "MaxAttempts": ENDPOINT_SECONDS // _POLL_SECONDS}
    try:
        waiter.wait(EndpointName=endpoint, WaiterConfig=config)
    except WaiterError as error:
        raise OperatorError(
            f"The endpoint {endpoint} still exists {ENDPOINT_SECONDS // 60} minutes after its deletion began ({error}): "
            "look at the SageMaker console, then run the same command again."
        ) from error


def delete_models(env: Environment) -> int:
    """Delete every version in the model package group, as only an empty group can be deleted. Returns how many."""
    sagemaker = env.client("sagemaker")
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=env.settings.prefix)
    try:
        arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if error_code(error) in ("ValidationException", "ResourceNotFound"):
            return 0  # there is no such group
        raise
    for arn in arns:
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(arns)


def delete_states(env: Environment, access: bool = False) -> None:
    """Delete the environment's states, or that of stack access, and the state bucket once it is empty."""
    prefix = access_key(env.settings) if access else f"{env.settings.environment}/"
    try:
        bucket.empty(env, env.state_bucket, prefix)
        if not bucket.holds_anything(env, env.state_bucket):
            env.client("s3").delete_bucket(Bucket=env.state_bucket)
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise
