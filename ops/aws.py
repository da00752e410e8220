"""boto3 sessions and clients of the operator's machine, and AWS's errors as sentences for the operator."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials

from ops.errors import OperatorError

CLIENT_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    max_pool_connections=32,  # parallel transfers
    connect_timeout=5,
    read_timeout=130,  # Lambda answers when the function returns: longer than a function may run
)


def is_signed_in() -> bool:
    """Return whether AWS credentials are configured, in any of the places where AWS's tools look."""
    return boto3.Session().get_credentials() is not None


def role_session(caller: boto3.Session, role_arn: str, sts: Callable[[], Any]) -> boto3.Session:
    """Return a session that acts as a role and renews its credentials before they expire.

    caller: the session that assumes the role.
    sts: returns the caller's STS client; called when credentials are first needed.
    """
    inner = botocore.session.Session()
    # Share the caller's loader: it caches the service models, which take longest to read.
    inner.register_component("data_loader", caller._session.get_component("data_loader"))
    inner.register_component("credential_provider", CredentialResolver([_AssumedRole(role_arn, sts)]))
    return boto3.Session(botocore_session=inner, region_name=caller.region_name)


class _AssumedRole(CredentialProvider):  # type: ignore[misc]  # botocore has no types
    """Credentials of an assumed role."""

    METHOD = "assume-role"

    def __init__(self, role_arn: str, sts: Callable[[], Any]) -> None:
        super().__init__()
        self._role_arn, self._sts = role_arn, sts

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)

    def _assume(self) -> dict[str, str]:
        keys = self._sts().assume_role(RoleArn=self._role_arn, RoleSessionName="inv")["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }


@contextlib.contextmanager
def aws_errors(action: str) -> Iterator[None]:
    """Turn an error of AWS or the network into an OperatorError. action: what was being done, such as "./inv up"."""
    try:
        yield
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise OperatorError(
            f"No AWS credentials for {action}: sign in (for example `aws sso login`) and set AWS_PROFILE, or use "
            "--env local, which needs none."
        ) from error
    except (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.ConnectionClosedError,
    ) as error:
        hint = (
            "./inv local.status shows whether the embedded AWS is running"
            if os.environ.get("AWS_ENDPOINT_URL")
            else "check the network"
        )
        raise OperatorError(f"AWS did not answer during {action} ({error}): {hint}.") from error
    except exceptions.ClientError as error:
        details = error.response.get("Error", {})
        message = str(details.get("Message", error)).rstrip(".")
        raise OperatorError(
            f"AWS refused during {action}: {details.get('Code', 'Unknown')}: {message}."
        ) from error


def error_code(error: exceptions.ClientError) -> str:
    """Return the code of an AWS error, e.g. "ResourceNotFound"."""
    return str(error.response.get("Error", {}).get("Code", ""))
