"""Permissions that an API call needs: IAM actions, their resources, and the condition keys of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import arns, definitions, ec2, run_instances, tagging
from embedded_aws.iam.principals import iam
from embedded_aws.iam.request import Call


@dataclass(frozen=True)
class Check:
    """One permission that a call needs."""

    action: str
    resource: str
    context: dict[str, Any] = field(default_factory=dict)
    """Condition keys, lower case, besides those of every call."""


# Operations whose IAM action has a different name.
_ACTIONS = {
    "lambda": {
        "Invoke": "InvokeFunction",
        "InvokeWithResponseStream": "InvokeFunction",
        "GetLayerVersionByArn": "GetLayerVersion",
    },
    "budgets": {
        **dict.fromkeys(("CreateBudget", "UpdateBudget", "DeleteBudget"), "ModifyBudget"),
        **dict.fromkeys(("CreateNotification", "UpdateNotification", "DeleteNotification"), "ModifyBudget"),
        **dict.fromkeys(("CreateSubscriber", "UpdateSubscriber", "DeleteSubscriber"), "ModifyBudget"),
        **dict.fromkeys(("DescribeBudget", "DescribeBudgets"), "ViewBudget"),
        **dict.fromkeys(
            ("DescribeNotificationsForBudget", "DescribeSubscribersForNotification"), "ViewBudget"
        ),
    },
}
# Service that receives a passed role, where it is not <prefix>.amazonaws.com.
_PASSED_TO = {"ec2:CreateFlowLogs": "vpc-flow-logs.amazonaws.com"}
# Operations that pass a role although the reference does not list iam:PassRole for them.
_PASSING = {
    "lambda:UpdateFunctionConfiguration",
    "sagemaker:UpdateDomain",
    "sagemaker:UpdateNotebookInstance",
    "sagemaker:UpdateUserProfile",
}
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")


def action_of(call: Call) -> str:
    """Return the IAM action of a call, e.g. "lambda:InvokeFunction"."""
    if call.prefix == "apigateway":  # one per HTTP method
        return f"apigateway:{arns.http(call)['method']}"
    name = _ACTIONS.get(call.prefix, {}).get(call.operation, call.operation)
    known = definitions.action(call.prefix, name)
    return f"{call.prefix}:{known.name if known else name}"


def checks_of(call: Call) -> list[Check]:
    """Return every permission that a call needs. S3 has its own function, in `objects`."""
    action = action_of(call)
    context = _request_keys(call)
    if action == "ec2:RunInstances":
        needed = [Check(action, resource, keys) for resource, keys in run_instances.resources(call)]
    else:
        needed = [Check(action, resource, context) for resource in _resources(call, action)]
    tag = tagging.action_of(call)
    needed += [
        Check(tag, arn, context) for arn in tagging.resources_of(call, [c.resource for c in needed]) if tag
    ]
    known = definitions.action(call.prefix, action.partition(":")[2])
    if (known and known.passes_role) or action in _PASSING:
        needed += [
            Check(
                "iam:PassRole",
                arn,
                {"iam:passedtoservice": _PASSED_TO.get(action, f"{call.prefix}.amazonaws.com")},
            )
            for arn in sorted(_passed_roles(call.parameters))
        ]
    if call.prefix == "ec2":
        needed += [Check("ec2:CreateTags", arn, keys) for arn, keys in ec2.created_with_tags(call).items()]
    if action == "iam:AddRoleToInstanceProfile":
        role = next((r.arn for r in iam().roles.values() if r.name == call.parameter("RoleName")), None)
        needed += [Check("iam:PassRole", role, {"iam:passedtoservice": "ec2.amazonaws.com"})] if role else []
    return needed


def _resources(call: Call, action: str) -> list[str]:
    found = arns.resources(call)
    return _by_reference(call, action) if found is None else (found or ["*"])


def _by_reference(call: Call, action: str) -> list[str]:
    """Return ARNs from the service authorization reference; parameters fill placeholders of the same name.

    A required resource that the call does not name (created by the call, or all resources) becomes a wildcard. An
    optional one is left out.
    """
    known = definitions.action(call.prefix, action.partition(":")[2])
    values = {name.lower(): value for name, value in call.parameters.items()}
    named = [v for v in _strings(values.values()) if v.startswith("arn:")]
    found: list[str] = []
    for resource in known.resources if known else ():
        template = resource.arn.replace("${Partition}", "aws").replace("${Region}", call.region)
        template = template.replace("${Account}", ACCOUNT_ID)
        pattern = re.compile(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(template)))
        given = [arn for arn in named if pattern.fullmatch(arn)]
        if given:
            found += given
            continue
        filled = [template]
        for name in resource.placeholders:
            fillings = _values_of(name, values) or (["*"] if resource.required else [])
            filled = [t.replace(f"${{{name}}}", value) for t in filled for value in fillings]
        found += filled
    return list(dict.fromkeys(found)) or ["*"]


def _values_of(placeholder: str, values: dict[str, Any]) -> list[str]:
    """Return the values of the parameter that fills a placeholder: same name, plural, or without a suffix."""
    name = placeholder.lower().removesuffix("withpath")
    for candidate in (name, f"{name}s", name.removesuffix("name"), name.removesuffix("id")):
        value = values.get(candidate)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return value
    return []


def _strings(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (v for v in value if isinstance(v, str))


def _passed_roles(value: Any) -> set[str]:
    """Return role ARNs anywhere in the parameters. An instance profile stands for its role."""
    if isinstance(value, str):
        return {value} if _ROLE_ARN.fullmatch(value) else set()
    if isinstance(value, dict):
        found: set[str] = set()
        for key, inner in value.items():
            if key == "IamInstanceProfile" and isinstance(inner, dict):
                found |= _profile_roles(inner)
            elif not (key.lower().endswith("arn") or "role" in key.lower()) and isinstance(inner, str):
                continue  # an ARN in an environment variable or a tag is not passed
            else:
                found |= _passed_roles(inner)
        return found
    return set().union(*map(_passed_roles, value)) if isinstance(value, list) else set()


def _profile_roles(profile: dict[str, str]) -> set[str]:
    for known in iam().instance_profiles.values():
        if known.name == profile.get("Name") or known.arn == profile.get("Arn"):
            return {role.arn for role in known.roles}
    return set()


def _request_keys(call: Call) -> dict[str, Any]:
    """Return condition keys from the parameters: request tags and keys that services define."""
    values: dict[str, Any] = {}
    tags = call.parameter("Tags") or call.parameter("tags")
    if isinstance(tags, list):
        pairs = (t for t in tags if isinstance(t, dict))
        # KMS calls them TagKey and TagValue.
        tags = {t.get("Key", t.get("TagKey")): t.get("Value", t.get("TagValue", "")) for t in pairs}
    if isinstance(tags, dict) and tags:
        values |= {f"aws:requesttag/{key.lower()}": str(value) for key, value in tags.items()}
        values["aws:tagkeys"] = list(tags)
    if call.prefix == "ec2":
        values |= ec2.request_tags(call)
    return values | {name: value for name, value in arns.keys(call).items() if value not in (None, [])}
