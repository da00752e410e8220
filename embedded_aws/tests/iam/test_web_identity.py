"""AssumeRoleWithWebIdentity: CI jobs assume roles with signed tokens."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from identity_provider_kit import HOST, IdentityProvider

ACCOUNT = "123456789012"
SUBJECT = "repo:example/image-classifier:pull_request"


@pytest.fixture(scope="module")
def provider(embedded_aws) -> IdentityProvider:
    url = {"Url": f"https://{HOST}", "ClientIDList": ["sts.amazonaws.com"]}
    embedded_aws.client("iam").create_open_id_connect_provider(**url)
    return IdentityProvider(embedded_aws.home)


@pytest.fixture(scope="module")
def assume(embedded_aws, provider):
    """Function that assumes a role that trusts SUBJECT; returns the error code, or an STS client of the session."""
    name = f"t{uuid.uuid4().hex[:10]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com", f"{HOST}:sub": SUBJECT}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = embedded_aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"][
        "Arn"
    ]
    sts = embedded_aws.client("sts", config=Config(signature_version=UNSIGNED))

    def attempt(token: str):
        try:
            keys = sts.assume_role_with_web_identity(
                RoleArn=arn, RoleSessionName="job", WebIdentityToken=token
            )["Credentials"]
        except ClientError as error:
            return error.response["Error"]["Code"]
        return embedded_aws.client(
            "sts",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    attempt.arn, attempt.name = arn, name
    return attempt


def test_the_trusted_subject_gets_a_session(assume, provider):
    identity = assume(provider.token(SUBJECT)).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{assume.name}/job"


@pytest.mark.parametrize(
    "subject",
    [
        "repo:example/image-classifier:ref:refs/heads/main",
        "repo:example/another:pull_request",
        "repo:stranger/image-classifier:pull_request",
        "repo:example/image-classifier:environment:prod",
    ],
)
def test_another_subject_is_denied(assume, provider, subject):
    assert assume(provider.token(subject)) == "AccessDenied"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "https://github.com/example"}, "InvalidIdentityToken"),
        ({"iss": "https://issuer.example"}, "InvalidIdentityToken"),
        ({"exp": int(time.time()) - 1}, "ExpiredToken"),
    ],
)
def test_tokens_with_wrong_claims_or_past_expiry_are_refused(assume, provider, claims, code):
    assert assume(provider.token(SUBJECT, **claims)) == code


def test_a_forged_token_is_refused(assume, provider, tmp_path):
    forger = IdentityProvider(tmp_path)  # same names, another key
    assert assume(forger.token(SUBJECT)) == "InvalidIdentityToken"
    head, payload, signature = provider.token("repo:stranger/image-classifier:pull_request").split(".")
    honest = provider.token(SUBJECT).split(".")[1]
    assert payload != honest
    assert assume(f"{head}.{honest}.{signature}") == "InvalidIdentityToken"
    assert assume("no token") == "InvalidIdentityToken"


def test_other_unsigned_requests_are_refused(embedded_aws, assume):
    unsigned = embedded_aws.client("sts", config=Config(signature_version=UNSIGNED))
    with pytest.raises(ClientError, match="Missing Authentication Token"):
        unsigned.assume_role(RoleArn=assume.arn, RoleSessionName="job")
