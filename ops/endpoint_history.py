"""What an endpoint served before: its kept configurations, the live one, and how many instances it scaled to."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.environment import Environment
from ops.errors import OperatorError


def deployed(env: Environment, endpoint: str) -> dict[str, Any]:
    """Return the input `deployed` of stack serving: facts that Terraform cannot read but must keep.

    An update starts as many instances as the new configuration says, so it takes over the live counts. And a failed
    update rolls back to the live configuration, so that one is kept.

    kept_configurations: the kept configurations, newest first.
    live: the key of the configuration in service; absent without an endpoint.
    instance_counts: instances of each variant; absent without an endpoint.
    """
    kept = [configuration.model_dump() for configuration in env.outputs.kept_configurations(endpoint)]
    found: dict[str, Any] = {"kept_configurations": kept}
    try:
        live = env.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error_code(error) != "ValidationException":
            raise
        return found
    counts = {
        variant["VariantName"]: variant["DesiredInstanceCount"]
        for variant in live.get("ProductionVariants", [])
        if "DesiredInstanceCount" in variant
    }
    return {
        **found,
        "live": live["EndpointConfigName"].removeprefix(f"{endpoint}-"),
        "instance_counts": counts,
    }


def previous_package(env: Environment, endpoint: str) -> str:
    """Return the ARN of the model package that an endpoint served before the last deployment of another one.

    Raises OperatorError if there is none.
    """
    kept = env.outputs.kept_configurations(endpoint)
    packages = [configuration.variants[0].model_package_arn for configuration in kept]
    earlier = next((package for package in packages if package != packages[0]), None)
    if earlier is None:
        flag = env.settings.flag
        raise OperatorError(
            f"{endpoint} has no earlier model to roll back to. ./inv models{flag} lists the versions, and "
            f"./inv deploy{flag} --model N deploys one."
        )
    return earlier
