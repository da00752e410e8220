"""What one stage leaves for the next: SSM parameters of the stacks, JSON objects of the jobs."""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError

from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings


class Network(BaseModel):
    """The private network of an environment: where its training jobs run."""

    subnet_ids: list[str]
    training_security_group_ids: list[str]


class Foundation(BaseModel):
    """What the foundation stack published. network: None outside a private network."""

    account_id: str
    bucket: str
    kms_key_arn: str
    training_role_arn: str
    tuning_role_arn: str
    endpoint_role_arn: str
    model_package_group_name: str
    model_package_group_arn: str
    ec2_log_group: str
    network: Network | None = None


class Serving(BaseModel):
    """What the serving stack of one endpoint published.

    variants: the model package behind each, the main one's first. hosting: "instance", "serverless" or
    "asynchronous"; the latter has no function, and a serverless endpoint no instance type. scheduled: whether the
    capacities are those of a schedule at times. provisioned_qualifier: what of the function is kept warm, its version,
    or by a schedule its alias; None if nothing is.
    """

    endpoint_name: str
    endpoint_config_name: str
    model_package_arn: str
    variants: dict[str, str]
    hosting: str
    instance_type: str | None
    scaled_variants: list[str]
    min_capacity: int
    max_capacity: int
    scheduled: bool
    function_name: str | None
    function_alias: str | None
    function_alias_arn: str | None
    function_version: str | None
    provisioned_concurrency: int
    provisioned_qualifier: str | None


def foundation(settings: Settings) -> Foundation:
    """The foundation of an environment. Raises OperatorError if there is none yet."""
    value = _parameter(settings, f"/{settings.project}/{settings.environment}/foundation")
    todo = f"run ./inv apply --stack foundation{settings.flag}"
    if value is None:
        raise OperatorError(
            f"Environment {settings.environment} has no foundation (bucket, keys, roles) yet: {todo}."
        )
    try:
        return Foundation(**value)
    except ValidationError as error:
        raise OperatorError(
            f"The foundation of {settings.environment} was made by another version of this repository: {todo}."
        ) from error


def serving(settings: Settings, endpoint: str | None = None) -> Serving:
    """The serving stack of an endpoint; without a name, of the environment's own."""
    endpoint = endpoint_name(settings, endpoint)
    value = _parameter(settings, f"/{settings.project}/{settings.environment}/serving/{endpoint}")
    suffix = endpoint.removeprefix(settings.prefix).removeprefix("-")
    todo = f"run ./inv deploy{settings.flag}{f' --endpoint {suffix}' if suffix else ''}"
    if value is None:
        raise OperatorError(f"There is no endpoint {endpoint} yet: {todo}.")
    try:
        return Serving(**value)
    except ValidationError as error:
        raise OperatorError(
            f"The endpoint {endpoint} was made by another version of this repository: {todo}."
        ) from error


def find_serving(settings: Settings, endpoint: str) -> Serving | None:
    """The serving stack of an endpoint by its full name; None before a deployment of this version has ended."""
    value = _parameter(settings, f"/{settings.project}/{settings.environment}/serving/{endpoint}")
    try:
        return Serving(**value) if value else None
    except ValidationError:
        return None


def all_serving(settings: Settings) -> list[Serving]:
    """Every serving stack of an environment, by endpoint name."""
    pages = client("ssm", settings.region).get_paginator("get_parameters_by_path")
    path = f"/{settings.project}/{settings.environment}/serving"
    found = [p["Value"] for page in pages.paginate(Path=path, Recursive=True) for p in page["Parameters"]]
    return sorted((Serving(**json.loads(value)) for value in found), key=lambda s: s.endpoint_name)


def endpoint_name(settings: Settings, name: str | None) -> str:
    """The full name of an endpoint: `multi` means <project>-<environment>-multi. Raises OperatorError."""
    if not name or name == settings.prefix:
        return settings.prefix
    full = name if name.startswith(f"{settings.prefix}-") else f"{settings.prefix}-{name}"
    # Its models and configurations carry the name and a hash, in 63 characters; its function's role "-inference" in 64.
    if len(full) > 54 or not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", full):
        raise OperatorError(
            f"--endpoint {name}: {full} is no endpoint's name, which has at most 54 letters, digits and hyphens, for "
            "example multi."
        )
    return full


def read(settings: Settings, bucket: str, name: str) -> dict[str, Any] | None:
    """The hand-over object `name` of a stage, or None if that stage has not run."""
    try:
        body = (
            client("s3", settings.region)
            .get_object(Bucket=bucket, Key=f"handover/{name}.json")["Body"]
            .read()
        )
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    return json.loads(body)


def write(settings: Settings, foundation: Foundation, name: str, value: dict[str, Any]) -> None:
    """Leave the hand-over object `name` for the next stage."""
    client("s3", settings.region).put_object(
        Bucket=foundation.bucket,
        Key=f"handover/{name}.json",
        Body=json.dumps(value, indent=2, sort_keys=True).encode(),
        ContentType="application/json",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=foundation.kms_key_arn,
    )


def _parameter(settings: Settings, name: str) -> dict[str, Any] | None:
    try:
        return json.loads(client("ssm", settings.region).get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise
