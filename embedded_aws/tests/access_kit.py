"""Roles, policies and refusals for tests of access control."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document. Statements allow unless they have an Effect."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})


def trust(**principal: Any) -> str:
    """Return a trust policy for a principal."""
    return policy({"Principal": principal, "Action": "sts:AssumeRole"})


def allow(action: Any, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    """Return a statement that allows an action."""
    found = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**found, "Condition": condition} if condition else found


def code(call: Callable[..., Any], **arguments: Any) -> str:
    """Return the error code of a call, or "OK"."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """Return HTTP status, code and message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
