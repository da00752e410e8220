"""Differences in permissions are found by action and resource, however the policies are written."""

from __future__ import annotations

import json

import pytest

from ops.plan_report.permissions import Grant, difference
from tests.ops.plan_report.kit import document, plan, resource, role_policy

BUCKET = "arn:aws:s3:::pictures"
READ = {"Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}


def listed(grants) -> set[tuple[str, str, str]]:
    return {(grant.principal, grant.action, grant.resource) for grant in grants}


def test_a_new_action_on_a_known_resource_is_gained():
    both = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{BUCKET}/*"}
    found = difference(plan([role_policy(READ)], [role_policy(both)]))
    assert listed(found.gained) == {("trainer", "s3:PutObject", f"{BUCKET}/*")}
    assert not found.lost
    back = difference(plan([role_policy(both)], [role_policy(READ)]))
    assert listed(back.lost) == listed(found.gained) and not back.gained


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([READ], [{"Action": ["s3:GetObject"], "Resource": [f"{BUCKET}/*"], "Sid": "Read"}]),
        ([{**READ, "Resource": "*"}], [READ, {**READ, "Resource": "*"}]),
        ([{**READ, "Action": "s3:Get*"}], [{**READ, "Action": "s3:get*"}]),
        ([READ, READ], [READ]),
    ],
)
def test_an_equivalent_policy_is_no_difference(before, after):
    assert not difference(plan([role_policy(*before)], [role_policy(*after)]))


def test_a_narrower_grant_is_lost_and_a_wider_one_gained():
    wide, narrow = {**READ, "Action": "s3:*"}, {**READ, "Resource": f"{BUCKET}/datasets/*"}
    found = difference(plan([role_policy(wide)], [role_policy(narrow)]))
    assert (listed(found.gained), listed(found.lost)) == (set(), {("trainer", "s3:*", f"{BUCKET}/*")})
    found = difference(plan([role_policy(narrow)], [role_policy(wide)]))
    assert (listed(found.gained), listed(found.lost)) == ({("trainer", "s3:*", f"{BUCKET}/*")}, set())


def test_a_removed_condition_is_gained_and_a_new_one_lost():
    limited = {**READ, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    assert listed(difference(plan([role_policy(limited)], [role_policy(READ)])).gained)
    found = difference(plan([role_policy(READ)], [role_policy(limited)]))
    assert listed(found.lost) and not found.gained


def test_a_removed_deny_is_gained():
    deny = {**READ, "Effect": "Deny", "Action": "s3:DeleteObject"}
    found = difference(plan([role_policy(READ, deny)], [role_policy(READ)]))
    assert [(g.effect, g.action) for g in found.gained] == [("Deny", "s3:DeleteObject")]
    assert difference(plan([role_policy(READ)], [role_policy(READ, deny)])).lost


def test_a_negated_element_is_always_a_difference():
    open_ended = {"NotAction": "iam:*", "Resource": "*"}
    found = difference(plan([role_policy({"Action": "*", "Resource": "*"})], [role_policy(open_ended)]))
    assert listed(difference(plan([], [role_policy(open_ended)])).gained) == {
        ("trainer", "everything except iam:*", "*")
    }
    assert found.lost


def test_wildcards_match_in_the_covering_grant_only():
    assert not Grant("a", "s3:Get?bject", "*").covers(Grant("a", "s3:*", "*"))
    assert not Grant("a", "s3:GetObject", "arn:aws:s3:::[ab]").covers(
        Grant("a", "s3:GetObject", "arn:aws:s3:::a")
    )
    assert Grant("a", "s3:*", "*").covers(Grant("a", "S3:GetObject", "arn:aws:s3:::a", "{}"))
    assert not Grant("a", "s3:*", "*").covers(Grant("b", "s3:GetObject", "*"))


def test_a_trust_policy_is_compared():
    def role(service: str) -> dict:
        trust = document({"Action": "sts:AssumeRole", "Principal": {"Service": service}})
        return resource("aws_iam_role", name="trainer", assume_role_policy=trust)

    found = difference(plan([role("sagemaker.amazonaws.com")], [role("ec2.amazonaws.com")]))
    assert listed(found.gained) == {("ec2.amazonaws.com", "sts:AssumeRole", "role trainer")}
    assert listed(found.lost) == {("sagemaker.amazonaws.com", "sts:AssumeRole", "role trainer")}


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (
            "aws_s3_bucket_policy",
            {"policy": document({**READ, "Principal": "*"})},
            ("*", "s3:GetObject", f"{BUCKET}/*"),
        ),
        (
            "aws_kms_key",
            {
                "policy": document(
                    {"Action": "kms:Decrypt", "Resource": "*", "Principal": {"AWS": ["arn:aws:iam::1:root"]}}
                )
            },
            ("arn:aws:iam::1:root", "kms:Decrypt", "aws_kms_key.this"),
        ),
        (
            "aws_lambda_permission",
            {
                "function_name": "f",
                "action": "lambda:InvokeFunction",
                "principal": "apigateway.amazonaws.com",
            },
            ("apigateway.amazonaws.com", "lambda:InvokeFunction", "f"),
        ),
        (
            "aws_lambda_function_url",
            {"function_name": "f", "authorization_type": "NONE"},
            ("*", "lambda:InvokeFunctionUrl", "f"),
        ),
        (
            "aws_iam_role_policy_attachment",
            {"role": "trainer", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            ("trainer", "all actions of the policy", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ),
    ],
)
def test_other_resources_that_grant_permissions(kind, values, expected):
    assert listed(difference(plan([], [resource(kind, **values)])).gained) == {expected}


def test_a_function_url_with_iam_authorization_grants_nothing():
    url = resource("aws_lambda_function_url", function_name="f", authorization_type="AWS_IAM")
    assert not difference(plan([], [url]))


def test_a_managed_policy_is_listed_for_its_roles():
    policy = resource(
        "aws_iam_policy", name="reader", policy=document(READ)
    )  # its ARN is unknown at plan time
    attachment = resource(
        "aws_iam_role_policy_attachment", role="trainer", policy_arn="arn:aws:iam::123456789012:policy/reader"
    )
    assert listed(difference(plan([], [policy, attachment])).gained) == {
        ("trainer", "s3:GetObject", f"{BUCKET}/*")
    }
    assert listed(difference(plan([], [policy])).gained) == {("policy reader", "s3:GetObject", f"{BUCKET}/*")}


def test_an_unknown_policy_is_listed():
    policy = resource("aws_iam_role_policy", role="trainer")
    address = policy["address"]
    assert difference(plan([], [policy], {address: ["policy"]})).unknown == (address,)
    # AWS sets a default policy on a queue without one.
    queue = resource("aws_sqs_queue", name="q")
    assert not difference(plan([], [queue], {queue["address"]: ["policy"]})).unknown


def test_a_statement_without_a_list_is_read():
    policy = json.dumps({"Statement": {"Effect": "Allow", **READ}})
    found = difference(plan([], [resource("aws_iam_role_policy", role="trainer", policy=policy)]))
    assert listed(found.gained) == {("trainer", "s3:GetObject", f"{BUCKET}/*")}
