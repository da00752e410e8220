"""Fixtures of the tests of access control."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from access_kit import ACCOUNT, policy, trust


@pytest.fixture
def name() -> str:
    """A unique name, of the role that `as_role` creates."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def as_role(embedded_aws, name: str) -> Callable[..., Callable[[str], Any]]:
    """Function that creates a role with statements and returns a factory of clients that act as it."""

    def make(*statements: dict[str, Any]) -> Callable[[str], Any]:
        iam = embedded_aws.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(AWS=ACCOUNT))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
        session = embedded_aws.session_of(name)
        return lambda service: embedded_aws.client(service, **session)

    return make


@pytest.fixture
def bucket(embedded_aws, name: str) -> str:
    embedded_aws.client("s3").create_bucket(Bucket=name)
    return name
