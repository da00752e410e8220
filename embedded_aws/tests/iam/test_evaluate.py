"""Policy evaluation within one account, against AWS's evaluation logic."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.iam.evaluate import decide, parse
from embedded_aws.iam.principals import ANONYMOUS, Principal, service

ROLE = "arn:aws:iam::123456789012:role/reader"
SESSION = "arn:aws:sts::123456789012:assumed-role/reader/me"
OBJECT = "arn:aws:s3:::bucket/key"


def statement(effect: str, action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def role(*documents: str, session_policy: str | None = None) -> Principal:
    record = SimpleNamespace(policies=dict(enumerate(documents)), managed_policies={}, tags={})
    return Principal("AssumedRole", SESSION, ROLE, session_policy=session_policy, record=record)


ROOT = Principal("Account", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root")


def allowed(principal: Principal, action: str = "s3:GetObject", resource: str = OBJECT, **more: Any) -> bool:
    context = more.pop("context", {"aws:securetransport": "true"})
    return decide(principal, action, resource, context, **more).allowed


def test_nothing_is_allowed_without_a_policy() -> None:
    assert not allowed(role())
    assert allowed(role(policy(statement("Allow"))))
    reason = decide(role(), "s3:GetObject", OBJECT, {}).reason
    assert reason == "because no identity-based policy allows the s3:GetObject action"


def test_an_explicit_deny_in_any_policy_wins() -> None:
    assert not allowed(role(policy(statement("Allow")), policy(statement("Deny", "s3:*"))))
    assert not allowed(role(policy(statement("Deny"), statement("Allow"))))
    both = role(policy(statement("Allow")))
    denied = policy(statement("Deny", "s3:*", Principal="*"))
    assert not allowed(both, resource_policy=denied)
    assert not allowed(ROOT, resource_policy=denied)


@pytest.mark.parametrize(
    ("entry", "action", "resource", "expected"),
    [
        ({"Action": "s3:get*", "Resource": OBJECT}, "s3:GetObject", OBJECT, True),
        ({"Action": "S3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}, "s3:GetObject", OBJECT, True),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}, "s3:GetObject", OBJECT, False),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/*"}, "s3:GetObject", OBJECT, False),
        ({"Action": "s3:Get?bject", "Resource": "*"}, "s3:GetObject", OBJECT, True),
        ({"NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", OBJECT, True),
        ({"NotAction": "iam:*", "Resource": "*"}, "iam:CreateUser", "*", False),
        ({"Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/*"}, "s3:GetObject", OBJECT, False),
        ({"Action": "s3:*", "NotResource": "arn:aws:s3:::other/*"}, "s3:GetObject", OBJECT, True),
        (
            {"Action": ["iam:GetUser", "s3:GetObject"], "Resource": ["x", OBJECT]},
            "s3:GetObject",
            OBJECT,
            True,
        ),
        ({"Action": "s3.GetObject", "Resource": "*"}, "s3:GetObject", OBJECT, False),
    ],
)
def test_statements_match_actions_and_resources(
    entry: dict[str, Any], action: str, resource: str, expected: bool
) -> None:
    assert allowed(role(policy({"Effect": "Allow", **entry})), action, resource) is expected


def test_deny_with_not_resource_does_not_deny_that_resource() -> None:
    only = policy(
        statement("Allow", "s3:*"),
        {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/*"},
    )
    assert allowed(role(only))
    assert not allowed(role(only), resource="arn:aws:s3:::other/key")


def test_a_deny_without_tls_applies_only_without_tls() -> None:
    tls_only = policy(
        statement("Deny", "s3:*", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    )
    assert allowed(ROOT, resource_policy=tls_only)
    assert not allowed(ROOT, resource_policy=tls_only, context={"aws:securetransport": "false"})


@pytest.mark.parametrize(
    "odd",
    [{"StringMatches": {"aws:SecureTransport": "x"}}, {"StringEquals": {"aws:ResourceTag/team": "ops"}}],
)
def test_a_condition_that_cannot_be_evaluated_fails_closed(odd: dict[str, Any]) -> None:
    assert not allowed(role(policy(statement("Allow", Condition=odd))))
    assert not allowed(role(policy(statement("Allow"), statement("Deny", Condition=odd))))


def test_resource_policies_allow_the_callers_that_they_name() -> None:
    for named, expected in (
        ({"AWS": ROLE}, True),
        ({"AWS": SESSION}, True),
        ({"AWS": [SESSION + "x", ROLE]}, True),
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ROLE + "x"}, False),
        ({"AWS": "123456789012"}, False),  # that leaves it to the account's own policies
        ({"Service": "sagemaker.amazonaws.com"}, False),
    ):
        shared = policy(statement("Allow", Principal=named))
        assert allowed(role(), resource_policy=shared) is expected, named
    open_to_all = policy(statement("Allow", Principal="*"))
    assert allowed(ANONYMOUS, resource_policy=open_to_all)
    assert not allowed(ANONYMOUS)
    assert not allowed(ANONYMOUS, resource_policy=policy(statement("Allow", Principal={"AWS": ROLE})))
    assert not allowed(
        ANONYMOUS, resource_policy=policy(statement("Allow", Principal={"AWS": "123456789012"}))
    )


def test_identity_policies_count_for_a_key_only_if_its_policy_names_the_account() -> None:
    may = role(policy(statement("Allow", "kms:Decrypt")))
    account = policy(statement("Allow", "kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}))
    key = {
        "action": "kms:Decrypt",
        "resource": "arn:aws:kms:us-east-1:123456789012:key/1",
        "delegated": False,
    }
    assert allowed(may, resource_policy=account, **key)
    assert not allowed(role(), resource_policy=account, **key)
    assert allowed(ROOT, resource_policy=account, **key)
    other = policy(statement("Allow", "kms:*", Principal={"AWS": ROLE + "x"}))
    assert not allowed(may, resource_policy=other, **key)
    assert not allowed(ROOT, resource_policy=other, **key)
    assert allowed(
        role(), resource_policy=policy(statement("Allow", "kms:*", Principal={"AWS": ROLE})), **key
    )


def test_trust_policies_allow_services_under_their_conditions() -> None:
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    )
    assume = {"action": "sts:AssumeRole", "resource": ROLE, "resource_policy": trust, "delegated": False}
    ours, others = {"aws:sourceaccount": "123456789012"}, {"aws:sourceaccount": "999999999999"}
    assert allowed(service("sagemaker.amazonaws.com"), context=ours, **assume)
    assert not allowed(service("sagemaker.amazonaws.com"), context=others, **assume)
    assert not allowed(service("lambda.amazonaws.com"), context=ours, **assume)
    assert not allowed(role(policy(statement("Allow", "sts:*"))), context=ours, **assume)


def test_session_policies_only_restrict() -> None:
    everything = policy(statement("Allow", "s3:*"))
    assert allowed(role(everything, session_policy=policy(statement("Allow", "s3:Get*"))))
    assert not allowed(role(everything, session_policy=policy(statement("Allow", "s3:Put*"))))
    assert not allowed(role(session_policy=everything))


def test_a_single_statement_needs_no_list() -> None:
    assert len(parse(json.dumps({"Statement": statement("Allow")}))) == 1
