"""AWS clients of the operator's machine, and AWS's errors as sentences an operator can act on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache

import boto3
from botocore import exceptions
from botocore.config import Config

from ops.errors import OperatorError


@cache
def session(region: str) -> boto3.Session:
    """The boto3 session of a region; credentials and endpoint come from the environment, as for any AWS tool."""
    return boto3.Session(region_name=region)


@cache
def client(service: str, region: str):
    """A boto3 client with standard retries and a connection pool wide enough for parallel transfers.

    Lambda answers when the function does, so no client reads for less than a function may run.
    """
    config = Config(
        retries={"mode": "standard", "max_attempts": 4},
        max_pool_connections=32,
        connect_timeout=5,
        read_timeout=130,
    )
    return session(region).client(service, config=config)


def account_id(region: str) -> str:
    """The account of the credentials in force."""
    return client("sts", region).get_caller_identity()["Account"]


@cache
def instance_types(kind: str) -> frozenset[str]:
    """The instance types that the SageMaker API knows. kind: "training" or "hosting"."""
    shape = {"training": "TrainingInstanceType", "hosting": "ProductionVariantInstanceType"}[kind]
    import botocore.session

    return frozenset(botocore.session.get_session().get_service_model("sagemaker").shape_for(shape).enum)


def check_instance_type(instance_type: str, kind: str) -> None:
    """Raise OperatorError if SageMaker has no such instance type for `kind` ("training" or "hosting")."""
    import difflib

    if instance_type not in (known := instance_types(kind)):
        near = difflib.get_close_matches(instance_type, sorted(known), 3) or ["ml.m5.large", "ml.m5.2xlarge"]
        raise OperatorError(
            f"SageMaker has no instance type {instance_type!r} for {kind}: did you mean {' or '.join(near)}?"
        )


@contextlib.contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turn what AWS or the network says while `doing` into an OperatorError."""
    try:
        yield
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise OperatorError(
            f"No AWS credentials for {doing}: sign in (for example `aws sso login`) and set AWS_PROFILE, or use "
            "--env local, which needs none."
        ) from error
    except (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.ConnectionClosedError,
    ) as error:
        hint = (
            "./inv local.status tells whether the embedded AWS runs"
            if os.environ.get("AWS_ENDPOINT_URL")
            else "check the network"
        )
        raise OperatorError(f"AWS did not answer while {doing} ({error}): {hint}.") from error
    except exceptions.ClientError as error:
        told = error.response.get("Error", {})
        raise OperatorError(
            f"AWS refused while {doing}: {told.get('Code', 'Unknown')}: {str(told.get('Message', error)).rstrip('.')}."
        ) from error


def error_code(error: exceptions.ClientError) -> str:
    """The code of an AWS error, e.g. "ResourceNotFound"."""
    return error.response.get("Error", {}).get("Code", "")
