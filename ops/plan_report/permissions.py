"""Compare what principals are allowed to do before and after a plan, by action and resource."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from ops.plan_report import resources
from ops.plan_report.resources import Resource

# Attribute with the resource policy, by resource type.
RESOURCE_POLICIES = {
    "aws_cloudwatch_event_bus_policy": "policy",
    "aws_cloudwatch_log_resource_policy": "policy_document",
    "aws_ecr_repository_policy": "policy",
    "aws_kms_key": "policy",
    "aws_kms_key_policy": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_sns_topic": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_sqs_queue": "policy",
    "aws_sqs_queue_policy": "policy",
    "aws_vpc_endpoint": "policy",
    "aws_vpc_endpoint_policy": "policy",
}
ROLE_POLICIES = {
    "aws_iam_role_policy": "role",
    "aws_iam_user_policy": "user",
    "aws_iam_group_policy": "group",
}


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource.

    principal: name of a role, or principal of a resource policy.
    condition: JSON, or empty.
    effect: Allow or Deny.
    """

    principal: str
    action: str
    resource: str
    condition: str = ""
    effect: str = "Allow"

    def covers(self, other: Grant) -> bool:
        """Return whether this grant includes another of the same effect."""
        return (
            (self.principal, self.effect) == (other.principal, other.effect)
            and _matches(self.action.lower(), other.action.lower())
            and _matches(self.resource, other.resource)
            and self.condition in ("", other.condition)
        )


@dataclass(frozen=True)
class Difference:
    """Difference in permissions.

    gained: grants that add permissions: new Allow or removed Deny.
    lost: grants that remove permissions: removed Allow or new Deny.
    unknown: addresses of policies that are unknown at plan time.
    """

    gained: tuple[Grant, ...] = ()
    lost: tuple[Grant, ...] = ()
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.unknown)


def difference(plan: dict[str, Any]) -> Difference:
    """Return the difference in permissions that a plan makes."""
    old, new = set(grants(resources.before(plan))), set(grants(resources.after(plan)))
    gained = {g for g in new - old if g.effect == "Allow" and not _is_covered(g, old)}
    gained |= {g for g in old - new if g.effect == "Deny" and not _is_covered(g, new)}
    lost = {g for g in old - new if g.effect == "Allow" and not _is_covered(g, new)}
    lost |= {g for g in new - old if g.effect == "Deny" and not _is_covered(g, old)}
    names = ("policy", "assume_role_policy", "policy_document", "access_policy")
    later = {address for name in names for address in resources.unknown(plan, name)}
    # AWS sets a default policy on resources without one. It is not part of the plan.
    later -= {r.address for r in resources.after(plan) if not _is_policy(r)}
    return Difference(tuple(sorted(gained)), tuple(sorted(lost)), tuple(sorted(later)))


def grants(found: Iterable[Resource]) -> Iterator[Grant]:
    """Yield everything that the policies of resources allow or deny."""
    found = list(found)
    attached = _attachments(found)
    for item in found:
        values = item.values
        if owner := ROLE_POLICIES.get(item.type):
            yield from _statements(values.get("policy"), principal=values.get(owner) or item.address)
        elif item.type == "aws_iam_policy":
            name = str(values.get("arn") or values.get("name"))
            for principal in attached.get(name, [f"policy {values.get('name')}"]):
                yield from _statements(values.get("policy"), principal=principal)
        elif item.type == "aws_iam_role":
            yield from _statements(values.get("assume_role_policy"), resource=f"role {values.get('name')}")
        elif item.type == "aws_lambda_permission":
            yield _permission(values)
        elif item.type == "aws_lambda_function_url" and values.get("authorization_type") == "NONE":
            yield Grant("*", "lambda:InvokeFunctionUrl", values.get("function_name") or item.address)
        elif attribute := RESOURCE_POLICIES.get(item.type):
            yield from _statements(values.get(attribute), resource=item.address)
    for arn, roles in attached.items():
        if arn.startswith("arn:") and ":iam::aws:policy/" in arn:
            for role in roles:
                yield Grant(role, "all actions of the policy", arn)


def _is_policy(item: Resource) -> bool:
    return item.type in ROLE_POLICIES or item.type in (
        "aws_iam_policy",
        "aws_iam_role",
        "aws_s3_bucket_policy",
        "aws_kms_key_policy",
        "aws_sqs_queue_policy",
        "aws_sns_topic_policy",
        "aws_cloudwatch_log_resource_policy",
    )


def _attachments(found: list[Resource]) -> dict[str, list[str]]:
    """Return the roles of each managed policy, by its ARN and by its name, as the ARN may be unknown."""
    roles: dict[str, list[str]] = {}
    for item in found:
        if item.type == "aws_iam_role_policy_attachment" and (arn := item.values.get("policy_arn")):
            roles.setdefault(arn, []).append(item.values.get("role", ""))
            roles.setdefault(arn.rpartition("/")[2], []).append(item.values.get("role", ""))
    return roles


def _permission(values: dict[str, Any]) -> Grant:
    limits = {name: values[name] for name in ("source_arn", "source_account") if values.get(name)}
    return Grant(
        values.get("principal") or "*",
        values.get("action") or "lambda:InvokeFunction",
        values.get("function_name") or "",
        json.dumps(limits, sort_keys=True) if limits else "",
    )


def _statements(document: str | None, principal: str = "", resource: str = "") -> Iterator[Grant]:
    """Yield the grants of a policy document. principal, resource: defaults for statements that name none."""
    if not document:
        return
    for statement in _as_list(json.loads(document).get("Statement", [])):
        condition = statement.get("Condition")
        text = json.dumps(condition, sort_keys=True) if condition else ""
        for who in [principal] if principal else _principals(statement):
            for action in _named(statement, "Action"):
                for target in _named(statement, "Resource") or [resource]:
                    yield Grant(
                        who,
                        action,
                        target if target != "*" or not resource else resource,
                        text,
                        statement["Effect"],
                    )


def _principals(statement: dict[str, Any]) -> list[str]:
    if "NotPrincipal" in statement:
        return [f"everyone except {json.dumps(statement['NotPrincipal'], sort_keys=True)}"]
    principal = statement.get("Principal", "*")
    if isinstance(principal, str):
        return [principal]
    return [name for names in principal.values() for name in _as_list(names)]


def _named(statement: dict[str, Any], element: str) -> list[str]:
    """Return the actions or resources of a statement. Negated ones become one text that includes no other grant."""
    if f"Not{element}" in statement:
        return [f"everything except {', '.join(_as_list(statement[f'Not{element}']))}"]
    return _as_list(statement.get(element, []))


def _is_covered(grant: Grant, others: set[Grant]) -> bool:
    return any(other.covers(grant) for other in others)


def _matches(pattern: str, text: str) -> bool:
    """Return whether a pattern with * and ? matches a text. Wildcards in the text are literals."""
    return bool(re.fullmatch(translate(pattern.replace("[", "[[]")), text))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
