"""Tagging on creation."""

from __future__ import annotations

import pytest

from access_kit import ACCOUNT, code

pytestmark = pytest.mark.slow


def test_creating_with_tags_requires_the_tagging_action(as_role, name):
    parameter_arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{name}"
    ssm = as_role({"Action": "ssm:PutParameter", "Resource": parameter_arn})("ssm")
    parameter = {"Name": f"/{name}", "Value": "v", "Type": "String"}
    assert code(ssm.put_parameter, **parameter, Tags=[{"Key": "a", "Value": "b"}]) == "AccessDeniedException"
    assert code(ssm.put_parameter, **parameter) == "OK"
