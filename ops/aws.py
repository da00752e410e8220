"""AWS clients of the operator's machine, and AWS's errors as sentences an operator can act on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials

from ops.errors import OperatorError

_role: ContextVar[str] = ContextVar("role", default="")


@contextlib.contextmanager
def acting_as(role_arn: str) -> Iterator[None]:
    """Within it, `client` and `session` of this thread act as a role, for as long as it takes: sessions are renewed."""
    before = _role.set(role_arn)
    try:
        yield
    finally:
        _role.reset(before)


def session(region: str) -> boto3.Session:
    """The boto3 session of a region; credentials and endpoint come from the environment, as for any AWS tool."""
    return _session(region, _role.get())


def client(service: str, region: str):
    """A boto3 client with standard retries and a connection pool wide enough for parallel transfers.

    Lambda answers when the function does, so no client reads for less than a function may run.
    """
    return _client(service, region, _role.get())


def is_signed_in() -> bool:
    """Whether there are credentials to try, from wherever AWS's tools take them."""
    return boto3.Session().get_credentials() is not None


def forget() -> None:
    """Make sessions and clients anew, as after a change of AWS_* variables."""
    _session.cache_clear()
    _client.cache_clear()


@cache
def _session(region: str, role_arn: str) -> boto3.Session:
    if not role_arn:
        return boto3.Session(region_name=region)
    inner = botocore.session.Session()
    inner.register_component("credential_provider", CredentialResolver([_AssumedRole(region, role_arn)]))
    return boto3.Session(botocore_session=inner, region_name=region)


class _AssumedRole(CredentialProvider):
    """Credentials of a role, assumed by the caller of the environment and renewed before they expire."""

    METHOD = "assume-role"

    def __init__(self, region: str, role_arn: str):
        super().__init__()
        self._region, self._role_arn = region, role_arn

    def load(self):
        return DeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)

    def _assume(self) -> dict[str, str]:
        sts = _client("sts", self._region, "")
        keys = sts.assume_role(RoleArn=self._role_arn, RoleSessionName="inv")["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }


@cache
def _client(service: str, region: str, role_arn: str):
    config = Config(
        retries={"mode": "standard", "max_attempts": 4},
        max_pool_connections=32,
        connect_timeout=5,
        read_timeout=130,
    )
    return _session(region, role_arn).client(service, config=config)


def account_id(region: str) -> str:
    """The account of the credentials in force."""
    return client("sts", region).get_caller_identity()["Account"]


@cache
def instance_types(kind: str) -> frozenset[str]:
    """The instance types that the SageMaker API knows. kind: "training", "hosting", or a workbench's "studio" or
    "notebook"."""
    shape = {
        "training": "TrainingInstanceType",
        "hosting": "ProductionVariantInstanceType",
        "studio": "AppInstanceType",
        "notebook": "InstanceType",
    }[kind]
    known = botocore.session.get_session().get_service_model("sagemaker").shape_for(shape).enum
    return frozenset(known) - {"system", "ml.geospatial.interactive"}  # of Studio's other applications


def check_instance_type(instance_type: str, kind: str) -> None:
    """Raise OperatorError if SageMaker has no such instance type for `kind`, as of `instance_types`."""
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
