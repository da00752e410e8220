"""Sessions that act as a role, and AWS's errors as sentences for the operator."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import boto3
import pytest
from botocore import exceptions

from ops import aws
from ops.errors import OperatorError


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (
            exceptions.NoCredentialsError(),
            r"No AWS credentials for ./inv up: sign in .*AWS_PROFILE.*--env local",
        ),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "No AWS credentials",
        ),
        (
            exceptions.ProfileNotFound(profile="mine"),
            r"^The config profile \(mine\) could not be found: set AWS_PROFILE .*list-profiles",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://s3.amazonaws.com"),
            r"AWS did not answer during ./inv up .*s3\.amazonaws\.com.*: check the network, .*; then run the same command again\.$",
        ),
        (
            exceptions.ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "not authorized."}}, "PutObject"
            ),
            r"^AWS refused during ./inv up: AccessDenied: not authorized\.$",
        ),
        (exceptions.ClientError({}, "PutObject"), "AWS refused during ./inv up: Unknown: "),
    ],
)
def test_errors_of_aws_become_one_sentence(raised, message):
    with pytest.raises(OperatorError, match=message) as refused, aws.aws_errors("./inv up"):
        raise raised
    assert refused.value.__cause__ is raised


def test_with_an_endpoint_url_the_embedded_aws_is_suspected(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5005")
    with pytest.raises(OperatorError, match=r"\./inv local\.status"), aws.aws_errors("./inv up"):
        raise exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:5005")


def test_other_errors_are_not_changed():
    with pytest.raises(ZeroDivisionError), aws.aws_errors("./inv up"):
        _ = 1 / 0


def test_a_role_session_renews_credentials_before_they_expire():
    assumed = []

    def assume_role(**given):
        assumed.append(given["RoleArn"])
        expires = datetime.now(timezone.utc) + timedelta(seconds=1 if len(assumed) == 1 else 3600)
        keys = {"AccessKeyId": f"key{len(assumed)}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": expires}}

    caller = boto3.Session("mine", "s", region_name="us-east-1")
    role = "arn:aws:iam::123456789012:role/r"
    session = aws.role_session(caller, role, lambda: SimpleNamespace(assume_role=assume_role))
    keys = [session.get_credentials().access_key for _ in range(3)]
    assert (keys, assumed) == (["key1", "key2", "key2"], [role, role])  # the first was about to expire
    assert session.region_name == "us-east-1"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("ExpiredToken: The provided token has expired.", "sign in again"),
        ("ExpiredTokenException: The security token included in the request is expired", "sign in again"),
        ("RequestExpired: Request has expired.", "sign in again"),
        (
            "api error InvalidClientTokenId: The security token included in the request is invalid.",
            "does not know",
        ),
        (
            "UnrecognizedClientException: The security token included in the request is invalid",
            "does not know",
        ),
        ("SignatureDoesNotMatch: The request signature we calculated does not match", "does not know"),
        ("SignatureDoesNotMatch: Signature not yet current: 20261130T2200Z is still later than", "clock"),
        ("SignatureDoesNotMatch: Signature expired: 20261130T2100Z is now earlier than", "clock"),
        ("InvalidSignatureException: Signature not yet current: 20261130T220000Z", "clock"),
        ("RequestTimeTooSkewed: The difference between the request time and the current time", "clock"),
        (
            "UnauthorizedSSOTokenError: The SSO session associated with this profile has expired",
            "sign in again",
        ),
        ("SSOTokenLoadError: Error loading SSO Token: Token for x does not exist", "sign in again"),
        ("TokenRetrievalError: Error when retrieving token from sso: Token has expired", "sign in again"),
        (
            "CredentialRetrievalError: Error when retrieving credentials from custom-process",
            "could not be obtained",
        ),
        (
            "Error: No valid credential sources found: failed to refresh cached credentials",
            "could not be obtained",
        ),
        ("refresh cached SSO token failed: InvalidGrantException", "expired"),
    ],
)
def test_bad_credentials_and_clocks_have_a_remedy(text, advice):
    assert advice in (aws.remedy(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        "AccessDenied: not authorized",
        "ValidationException: expired",
        "EntityAlreadyExists: Role with name token",
    ],
)
def test_other_errors_have_no_remedy(text):
    assert aws.remedy(text) is None


@pytest.mark.parametrize(
    "raised",
    [
        exceptions.UnauthorizedSSOTokenError(),
        exceptions.SSOTokenLoadError(error_msg="Token for x does not exist"),
        exceptions.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        exceptions.CredentialRetrievalError(provider="custom-process", error_msg="exit status 1"),
        exceptions.ClientError(
            {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}, "ListBuckets"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_bad_credentials_become_one_sentence_with_the_remedy(raised):
    with (
        pytest.raises(OperatorError, match=r"^The AWS credentials .*sign in again .*\./inv up"),
        aws.aws_errors("./inv up"),
    ):
        raise raised


@pytest.mark.parametrize(
    ("code", "message", "missing"),
    [
        ("ResourceNotFound", "", True),
        ("ValidationException", "Could not find training job", True),
        ("ValidationException", "Requested resource not found.", True),
        ("ValidationException", "RecordNotFound", True),
        ("ValidationException", "1 validation error detected", False),
        ("ThrottlingException", "Rate exceeded; not found", False),
    ],
)
def test_errors_about_missing_resources_are_recognized(code, message, missing):
    error = exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeTrainingJob")
    assert aws.is_missing(error) == missing
