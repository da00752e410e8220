"""Policy documents of buckets, keys, topics, queues, repositories and endpoints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_kit import ACCOUNT, policy, refusal
from embedded_aws.validation.policies import documents, grammar
from embedded_aws.validation.policies.principals import service_exists

BUCKET = "arn:aws:s3:::b"
LEGAL = {"Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
MISSING = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/missing"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"Principal": "*", "Action": "s3:*", "Resource": [BUCKET, f"{BUCKET}/*"]}, None),
        ({"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [BUCKET, f"{BUCKET}/*"]}, None),
        ({"Action": "s3:ListBucket", "Resource": BUCKET}, None),
        ({"Action": "s3:Get*"}, None),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, None),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, None),
        ({"Principal": MISSING}, "Invalid principal in policy"),
        ({"Principal": {"Federated": "accounts.google.com"}}, None),
        ({"Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::bb/*"}, "Policy has invalid resource"),
        ({"Resource": "*"}, "Policy has invalid resource"),
        ({"Resource": BUCKET}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "s3:GetObjects"}, "Policy has invalid action"),
        ({"Action": "ec2:RunInstances"}, "Policy has invalid action"),
        ({"Action": "GetObject"}, "Policy has invalid action"),
        ({"Principle": "*"}, "Unknown field Principle"),
        ({"Effect": "Permit"}, "Invalid effect: Permit"),
        ({"Condition": {"StringIs": {"aws:username": "x"}}}, "Invalid Condition type : StringIs"),
    ],
)
def test_bucket_policies(changes: dict[str, Any], message: str | None) -> None:
    assert documents.bucket_policy(policy({**LEGAL, **changes}), "b") == message


def test_a_bucket_policy_is_limited_and_not_public_where_that_is_blocked(embedded_aws: Any) -> None:
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket="policies")
    own = {**LEGAL, "Resource": "arn:aws:s3:::policies/*"}
    long = policy(*[own] * 200)
    assert refusal(s3.put_bucket_policy, Bucket="policies", Policy=long)[:2] == (400, "MalformedPolicy")
    assert refusal(s3.put_bucket_policy, Bucket="policies", Policy="{")[:2] == (400, "MalformedPolicy")
    s3.put_public_access_block(Bucket="policies", PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    public = policy({**own, "Principal": "*"})
    assert refusal(s3.put_bucket_policy, Bucket="policies", Policy=public)[:2] == (403, "AccessDenied")
    s3.put_bucket_policy(Bucket="policies", Policy=policy(own))


@pytest.mark.parametrize(
    ("statement", "service", "valid"),
    [
        ({"Principal": {"AWS": ACCOUNT}, "Action": "sns:Publish", "Resource": "*"}, "sns", True),
        (
            {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"},
            "sns",
            True,
        ),
        (
            {"Principal": {"Service": "event.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"},
            "sns",
            False,
        ),
        ({"Principal": MISSING, "Action": "sns:Publish", "Resource": "*"}, "sns", False),
        ({"Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}, "sns", False),
        ({"Action": "sns:Publish", "Resource": "*"}, "sns", False),
        ({"Principal": "*", "Action": "s3:GetObject", "Resource": "*"}, None, True),
    ],
)
def test_resource_policies(statement: dict[str, Any], service: str | None, valid: bool) -> None:
    assert (documents.resource_policy(policy(statement), service) is None) == valid


@pytest.mark.parametrize(
    ("statement", "allows"),
    [
        ({"Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}, True),
        (
            {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": ["kms:Put*"], "Resource": "*"},
            True,
        ),
        (
            {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:Encrypt", "Resource": "*"},
            False,
        ),
        (
            {"Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": "kms:*", "Resource": "*"},
            False,
        ),
        ({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}, False),
    ],
)
def test_administrators_of_keys(statement: dict[str, Any], allows: bool) -> None:
    names = (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert documents.names_administrator(json.loads(policy(statement)), names, "kms:PutKeyPolicy") == allows


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        ("sagemaker.amazonaws.com", True),
        ("logs.eu-central-1.amazonaws.com", True),
        ("lambda.alarms.cloudwatch.amazonaws.com", True),
        ("sagemaker.application-autoscaling.amazonaws.com", True),
        ("vpc-flow-logs.amazonaws.com", True),
        ("sagemaker.amazonaws.org", False),
        ("amazonaws.com", False),
        ("sagemaker.us-east-1", False),
        ("sage-maker.amazonaws.com", False),
        ("SageMaker.amazonaws.com", False),
    ],
)
def test_service_principals(name: str, exists: bool) -> None:
    assert service_exists(name) == exists


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Statement", "Effect", "Action", "Principal", "Condition", "Sid"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=JSON)
def test_any_json_is_a_policy_or_has_a_problem(value: Any) -> None:
    """Nothing that a client can send makes a check fail."""
    text = json.dumps(value)
    for kind in (grammar.IDENTITY, grammar.TRUST, grammar.RESOURCE, grammar.RESOURCE_ITSELF):
        grammar.problem_of(text, kind)
    documents.identity_policy(text)
    documents.trust_policy(text)
    documents.bucket_policy(text, "b")
    documents.resource_policy(text, "sns")
    statement = json.dumps({"Version": "2012-10-17", "Statement": [value]})
    documents.trust_policy(statement)
    documents.bucket_policy(statement, "b")
