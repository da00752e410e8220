"""boto3 sessions and clients of the operator's machine, and AWS's errors as sentences for the operator."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials

from ops import sessions
from ops.errors import OperatorError
from ops.retries import NoAnswer
from ops.text import clause, sentence

# What AWS, the SDKs and Terraform's provider print -> what the operator does about it. The first that matches counts.
_REMEDIES = (
    (
        r"RequestTimeTooSkewed|Signature not yet current|Signature expired|difference between the request time",
        "This machine's clock differs from AWS's by more than 5 minutes: set it (for example `sudo timedatectl set-ntp "
        "true`), then run the same command again.",
    ),
    (
        r"ExpiredToken|RequestExpired|token included in the request is expired|Token has expired|SSO [Tt]oken|"
        r"SSO session .*(expired|invalid)|UnauthorizedSSOToken|TokenRetrievalError|InvalidGrantException",
        "The AWS credentials have expired: sign in again (for example `aws sso login`), then run the same command again.",
    ),
    (
        r"InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|AuthFailure|"
        r"token included in the request is invalid|SignatureDoesNotMatch|InvalidSignatureException",
        "AWS does not know these credentials, or their secret key is wrong: check AWS_PROFILE and the AWS_* variables "
        "of this shell (`aws sts get-caller-identity` shows whose they are), or sign in again.",
    ),
    (
        r"CredentialRetrievalError|Error when retrieving (credentials|token)|failed to refresh cached credentials|"
        r"No valid credential sources|[Ff]ailed to retrieve credentials",
        "The AWS credentials could not be obtained: sign in again (for example `aws sso login`), or check the profile in "
        "AWS_PROFILE, then run the same command again.",
    ),
)


def is_signed_in() -> bool:
    """Return whether AWS credentials are configured, in any of the places where AWS's tools look."""
    return sessions.new().get_credentials() is not None


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


def remedy(text: str) -> str | None:
    """Return what to do about bad credentials or a wrong clock that an error's text reports; None for other errors.

    text: of AWS, of an SDK or of Terraform.
    """
    return next((advice for pattern, advice in _REMEDIES if re.search(pattern, text)), None)


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
    except exceptions.ProfileNotFound as error:
        raise OperatorError(
            f"{clause(str(error))}: set AWS_PROFILE to one that `aws configure list-profiles` lists, or unset it."
        ) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError, NoAnswer) as error:
        hint = (
            "./inv local.status shows whether the embedded AWS is running"
            if os.environ.get("AWS_ENDPOINT_URL")
            else "check the network, and the service on health.aws.amazon.com"
        )
        raise OperatorError(
            f"AWS did not answer during {action} ({clause(str(error))}): {hint}; then run the same command again."
        ) from error
    except exceptions.ClientError as error:
        raise OperatorError(_refusal(action, error)) from error
    except exceptions.BotoCoreError as error:
        if (advice := remedy(f"{type(error).__name__}: {error}")) is None:
            raise
        raise OperatorError(
            f"{advice} The AWS SDK reported during {action}: {sentence(str(error))}"
        ) from error


def _refusal(action: str, error: exceptions.ClientError) -> str:
    details = error.response.get("Error", {})
    code, message = details.get("Code", "Unknown"), str(details.get("Message", error))
    if advice := remedy(f"{code}: {message}"):
        return (
            f"{advice} AWS answered {error.operation_name} during {action} with {code}: {sentence(message)}"
        )
    return f"AWS refused during {action}: {code}: {clause(message)}."


def error_code(error: exceptions.ClientError) -> str:
    """Return the code of an AWS error, e.g. "ResourceNotFound"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: exceptions.ClientError) -> bool:
    """Return whether an error says that the caller lacks a permission."""
    codes = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
    return error_code(error) in codes  # AuthorizationError: SNS


def is_missing(error: exceptions.ClientError) -> bool:
    """Return whether an error, for example of SageMaker, says that a resource does not exist."""
    message = error.response.get("Error", {}).get("Message", "")
    return error_code(error) in ("ResourceNotFound", "ResourceNotFoundException") or (
        error_code(error) == "ValidationException"
        and bool(re.search(r"not ?found|does not exist|could not find|cannot find|can't find", message, re.I))
    )


def tag_dict(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return tags that AWS lists as keys and values, in any of the spellings of its services."""
    return {
        tag.get("Key") or tag.get("key") or tag["TagKey"]: tag.get("Value")
        or tag.get("value")
        or tag.get("TagValue", "")
        for tag in tags or ()
    }
