"""What serves before a deployment: the configurations that are kept, which of them is live, and how far it scaled."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings


def deployed(settings: Settings, endpoint: str) -> dict[str, Any]:
    """The serving stack's input of that name: what Terraform cannot read, but must not lose.

    An update starts as many instances as its configuration says, so a new one takes the live counts; and it may be
    rolled back, so the configuration that serves stays. Empty where there is no endpoint.
    """
    found: dict[str, Any] = {"kept_configurations": kept(settings, endpoint)}
    try:
        live = client("sagemaker", settings.region).describe_endpoint(EndpointName=endpoint)
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


def kept(settings: Settings, endpoint: str) -> list[dict[str, Any]]:
    """Return the kept endpoint configurations from the stack's outputs, newest first."""
    name = f"/{settings.project}/{settings.environment}/endpoint_history/{endpoint}"
    try:
        return json.loads(client("ssm", settings.region).get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return []
        raise


def previous_package(settings: Settings, endpoint: str) -> str:
    """The ARN of the model package that served before the one deployed last. Raises OperatorError if there is none."""
    packages = [_main_package(configuration) for configuration in kept(settings, endpoint)]
    earlier = next((package for package in packages if package != packages[0]), None)
    if earlier is None:
        raise OperatorError(
            f"There is no model to go back to: {endpoint} has served no other since it was made. "
            f"./inv models{settings.flag} shows the versions that ./inv deploy{settings.flag} --model N can take."
        )
    return earlier


def _main_package(configuration: dict[str, Any]) -> str:
    return configuration["variants"][0]["model_package_arn"]
