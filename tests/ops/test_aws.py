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
            exceptions.EndpointConnectionError(endpoint_url="https://s3.amazonaws.com"),
            r"AWS did not answer during ./inv up .*s3\.amazonaws\.com.*: check the network\.$",
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
