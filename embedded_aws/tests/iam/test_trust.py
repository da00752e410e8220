"""Trust policies."""

from __future__ import annotations

import pytest

from access_kit import ACCOUNT, allow, code, policy, trust

pytestmark = pytest.mark.slow


def test_roles_can_be_assumed_by_the_principals_that_they_trust(embedded_aws, as_role, name: str) -> None:
    iam = embedded_aws.client("iam")
    clients = as_role()
    mine = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    for suffix, principal in (
        ("a", {"AWS": mine}),
        ("b", {"AWS": ACCOUNT}),
        ("c", {"Service": "ec2.amazonaws.com"}),
    ):
        iam.create_role(RoleName=f"{name}-{suffix}", AssumeRolePolicyDocument=trust(**principal))

    def assume(suffix: str) -> str:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}-{suffix}"
        return code(clients("sts").assume_role, RoleArn=arn, RoleSessionName="me")

    assert assume("a") == "OK"  # the trust policy names the caller
    assert assume("b") == assume("c") == assume("missing") == "AccessDenied"
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(allow("sts:AssumeRole")))
    assert assume("b") == "OK"  # the role trusts the account, and the caller's policy allows it
    assert assume("c") == "AccessDenied"
