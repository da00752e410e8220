"""A stack whose state has lost resources, as after an apply that was killed: the next run adopts them."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import Any

from ops import settings as environments
from ops.environment import Environment
from ops.terraform.adoption.search import Search
from ops.terraform.stack import Plan, Stack

Json = dict[str, Any]

RANDOM_IDS = ("terraform_data", "aws_iam_role_policy_attachment")
"""Types whose ids Terraform makes up: AWS has none."""


def adopting(stack: Stack) -> Stack:
    """Return a stack that adopts what exists."""
    names = {name: stack.variables[name] for name in ("project", "environment", "region")}
    env = Environment(environments.load("local").model_copy(update=names))
    return replace(stack, search=Search(env, stack.progress))


def check_adoption(aws, stack: Stack, *, kept: random.Random | None = None) -> Plan:
    """Lose resources from the state and apply: nothing is created twice, replaced or deleted. Return the plan.

    kept: chooses which resources stay in the state; without it none does. As Terraform writes a dependent after what it
    depends on, a lost resource's dependents are lost, too.
    """
    s3, stack = aws.client("s3"), adopting(stack)
    before = _state(s3, stack)
    lost = _lose(s3, stack, before, kept)
    plan = stack.plan()
    destructive = [change for change in plan.changes if "delete" in change.actions]
    assert not destructive, (destructive, sorted(lost))
    stack.apply(plan)
    assert _ids(_state(s3, stack)) == _ids(before)
    assert stack.plan().changes == ()
    return plan


def _state(s3, stack: Stack) -> Json:
    return json.load(s3.get_object(Bucket=stack.state_bucket, Key=stack.key)["Body"])


def _ids(state: Json) -> dict[str, str]:
    """Return the id of each managed resource."""
    return {
        _address(resource, instance): instance["attributes"]["id"]
        for resource in state["resources"]
        if resource["mode"] == "managed" and resource["type"] not in RANDOM_IDS
        for instance in resource["instances"]
    }


def _address(resource: Json, instance: Json) -> str:
    key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return f"{resource.get('module', '')} {resource['type']}.{resource['name']}{key}"


def _name(resource: Json) -> str:
    """Return a resource's address without keys, as in lists of dependencies."""
    module = re.sub(r"\[[^]]*\]", "", resource.get("module", ""))
    return ".".join(filter(None, (module, resource["type"], resource["name"])))


def _lose(s3, stack: Stack, state: Json, kept: random.Random | None) -> set[str]:
    """Write a state without some resources, or none. Return the addresses of the lost ones."""
    where = {"Bucket": stack.state_bucket, "Key": stack.key}
    managed = [resource for resource in state["resources"] if resource["mode"] == "managed"]
    if kept is None:
        s3.delete_object(**where)
        return {_name(resource) for resource in managed}
    lost = {_name(resource) for resource in managed if kept.random() < 0.2}
    while more := {_name(r) for r in managed if _depends(r) & lost} - lost:
        lost |= more
    left = [resource for resource in state["resources"] if _name(resource) not in lost]
    smaller = {**state, "serial": state["serial"] + 1, "outputs": {}, "resources": left}
    s3.put_object(**where, Body=json.dumps(smaller).encode())
    return lost


def _depends(resource: Json) -> set[str]:
    """Return the resources that one depends on."""
    return {name for instance in resource["instances"] for name in instance.get("dependencies", [])}
