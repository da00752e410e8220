"""No role may create identities or extend its own permissions."""

from __future__ import annotations

import pytest

from tests.permissions.account import ACCOUNT, ADMIN, ANYBODY, ANYTHING, REFUSED, ROLES, Act, attempt

pytestmark = pytest.mark.slow

FORBIDDEN: dict[str, Act] = {
    "create a user": ("iam", "create_user", lambda a: {"UserName": f"{a.prefix}-x"}),
    "create an access key": ("iam", "create_access_key", lambda a: {"UserName": f"{a.prefix}-x"}),
    "create a role without a boundary": (
        "iam",
        "create_role",
        lambda a: {"RoleName": f"{a.prefix}-x", "AssumeRolePolicyDocument": ANYBODY},
    ),
    "create a role with another name": (
        "iam",
        "create_role",
        lambda a: {
            "RoleName": a.other,
            "AssumeRolePolicyDocument": ANYBODY,
            "PermissionsBoundary": a.boundary,
        },
    ),
    "create a role in path /access/": (
        "iam",
        "create_role",
        lambda a: {
            "RoleName": f"{a.prefix}-x",
            "Path": "/access/",
            "AssumeRolePolicyDocument": ANYBODY,
            "PermissionsBoundary": a.boundary,
        },
    ),
    "allow the operator everything": (
        "iam",
        "put_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-operator", "PolicyName": "x", "PolicyDocument": ANYTHING},
    ),
    "attach AdministratorAccess to a role": (
        "iam",
        "attach_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-training", "PolicyArn": ADMIN},
    ),
    "let anyone assume the CI role": (
        "iam",
        "update_assume_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-ci-apply", "PolicyDocument": ANYBODY},
    ),
    "change the boundary": (
        "iam",
        "create_policy_version",
        lambda a: {"PolicyArn": a.boundary, "PolicyDocument": ANYTHING, "SetAsDefault": True},
    ),
    "delete a role's boundary": (
        "iam",
        "delete_role_permissions_boundary",
        lambda a: {"RoleName": f"{a.prefix}-training"},
    ),
    "replace a role's boundary": (
        "iam",
        "put_role_permissions_boundary",
        lambda a: {"RoleName": f"{a.prefix}-training", "PermissionsBoundary": ADMIN},
    ),
    "assume another environment's operator role": (
        "sts",
        "assume_role",
        lambda a: {
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/access/{a.other}-operator",
            "RoleSessionName": "xx",
        },
    ),
}


@pytest.mark.parametrize("act", FORBIDDEN)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not(account, role, act):
    assert attempt(account, role, FORBIDDEN[act]) == REFUSED.get(FORBIDDEN[act][0], "AccessDeniedException")
