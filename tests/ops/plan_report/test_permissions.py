"""Who may newly do what: by action and resource, whatever the policy's text looks like."""

from __future__ import annotations

import json

import pytest

from ops.plan_report.permissions import Grant, difference
from tests.ops.plan_report.kit import document, plan, resource, role_policy

BUCKET = "arn:aws:s3:::pictures"
READ = {"Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}


def told(grants) -> set[tuple[str, str, str]]:
    return {(grant.who, grant.action, grant.resource) for grant in grants}


def test_a_new_action_on_an_old_resource():
    both = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{BUCKET}/*"}
    found = difference(plan([role_policy(READ)], [role_policy(both)]))
    assert told(found.gained) == {("trainer", "s3:PutObject", f"{BUCKET}/*")}
    assert not found.lost
    back = difference(plan([role_policy(both)], [role_policy(READ)]))
    assert told(back.lost) == told(found.gained) and not back.gained


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([READ], [{"Action": ["s3:GetObject"], "Resource": [f"{BUCKET}/*"], "Sid": "Read"}]),
        ([{**READ, "Resource": "*"}], [READ, {**READ, "Resource": "*"}]),
        ([{**READ, "Action": "s3:Get*"}], [{**READ, "Action": "s3:get*"}]),
        ([READ, READ], [READ]),
    ],
)
def test_another_text_for_the_same_is_no_change(before, after):
    assert not difference(plan([role_policy(*before)], [role_policy(*after)]))


def test_a_narrower_grant_is_only_a_loss_and_a_wider_one_only_a_gain():
    wide, narrow = {**READ, "Action": "s3:*"}, {**READ, "Resource": f"{BUCKET}/datasets/*"}
    found = difference(plan([role_policy(wide)], [role_policy(narrow)]))
    assert (told(found.gained), told(found.lost)) == (set(), {("trainer", "s3:*", f"{BUCKET}/*")})
    found = difference(plan([role_policy(narrow)], [role_policy(wide)]))
    assert (told(found.gained), told(found.lost)) == ({("trainer", "s3:*", f"{BUCKET}/*")}, set())


def test_a_condition_that_falls_is_a_gain_and_one_that_comes_a_loss():
    limited = {**READ, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    assert told(difference(plan([role_policy(limited)], [role_policy(READ)])).gained)
    found = difference(plan([role_policy(READ)], [role_policy(limited)]))
    assert told(found.lost) and not found.gained


def test_a_deny_that_falls_is_a_gain():
    deny = {**READ, "Effect": "Deny", "Action": "s3:DeleteObject"}
    found = difference(plan([role_policy(READ, deny)], [role_policy(READ)]))
    assert [(g.effect, g.action) for g in found.gained] == [("Deny", "s3:DeleteObject")]
    assert difference(plan([role_policy(READ)], [role_policy(READ, deny)])).lost


def test_negated_elements_are_always_new():
    open_ended = {"NotAction": "iam:*", "Resource": "*"}
    found = difference(plan([role_policy({"Action": "*", "Resource": "*"})], [role_policy(open_ended)]))
    assert told(difference(plan([], [role_policy(open_ended)])).gained) == {
        ("trainer", "everything but iam:*", "*")
    }
    assert found.lost


def test_signs_of_patterns_are_not_taken_for_wildcards():
    assert not Grant("a", "s3:Get?bject", "*").covers(Grant("a", "s3:*", "*"))
    assert not Grant("a", "s3:GetObject", "arn:aws:s3:::[ab]").covers(
        Grant("a", "s3:GetObject", "arn:aws:s3:::a")
    )
    assert Grant("a", "s3:*", "*").covers(Grant("a", "S3:GetObject", "arn:aws:s3:::a", "{}"))
    assert not Grant("a", "s3:*", "*").covers(Grant("b", "s3:GetObject", "*"))


def test_who_may_assume_a_role():
    def role(service: str) -> dict:
        trust = document({"Action": "sts:AssumeRole", "Principal": {"Service": service}})
        return resource("aws_iam_role", name="trainer", assume_role_policy=trust)

    found = difference(plan([role("sagemaker.amazonaws.com")], [role("ec2.amazonaws.com")]))
    assert told(found.gained) == {("ec2.amazonaws.com", "sts:AssumeRole", "role trainer")}
    assert told(found.lost) == {("sagemaker.amazonaws.com", "sts:AssumeRole", "role trainer")}


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
            ("trainer", "all that it allows", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ),
    ],
)
def test_other_ways_to_a_permission(kind, values, expected):
    assert told(difference(plan([], [resource(kind, **values)])).gained) == {expected}


def test_a_function_url_that_wants_a_signature_is_open_to_nobody():
    url = resource("aws_lambda_function_url", function_name="f", authorization_type="AWS_IAM")
    assert not difference(plan([], [url]))


def test_a_managed_policy_counts_for_the_roles_it_is_attached_to():
    policy = resource("aws_iam_policy", name="reader", policy=document(READ))  # its ARN is not known at plan
    attachment = resource(
        "aws_iam_role_policy_attachment", role="trainer", policy_arn="arn:aws:iam::123456789012:policy/reader"
    )
    assert told(difference(plan([], [policy, attachment])).gained) == {
        ("trainer", "s3:GetObject", f"{BUCKET}/*")
    }
    assert told(difference(plan([], [policy])).gained) == {("policy reader", "s3:GetObject", f"{BUCKET}/*")}


def test_a_policy_that_the_plan_does_not_know_is_named():
    policy = resource("aws_iam_role_policy", role="trainer")
    address = policy["address"]
    assert difference(plan([], [policy], {address: ["policy"]})).unknown == (address,)
    # AWS writes a policy of its own where none is given: that is none of ours.
    queue = resource("aws_sqs_queue", name="q")
    assert not difference(plan([], [queue], {queue["address"]: ["policy"]})).unknown


def test_a_single_statement_needs_no_list():
    policy = json.dumps({"Statement": {"Effect": "Allow", **READ}})
    found = difference(plan([], [resource("aws_iam_role_policy", role="trainer", policy=policy)]))
    assert told(found.gained) == {("trainer", "s3:GetObject", f"{BUCKET}/*")}
