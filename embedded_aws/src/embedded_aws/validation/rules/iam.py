"""Rules of IAM: policies, their sizes, quotas of an account, tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embedded_aws.iam.principals import iam
from embedded_aws.iam.request import Call
from embedded_aws.validation.policies import documents
from embedded_aws.validation.table import Rule, Test, pattern

GUIDE = "IAM User Guide, "
API = "IAM API Reference, "
QUOTAS = GUIDE + "IAM and AWS STS quotas, name requirements, and character limits"
GRAMMAR = GUIDE + "Grammar of the IAM JSON policy language"
TAGGING = GUIDE + "Rules for tagging in IAM and AWS STS"
MAX_TAGS, MAX_ATTACHED, MAX_VERSIONS = 50, 10, 5
MANAGED_SIZE, TRUST_SIZE = 6144, 2048
INLINE_SIZES = {"Role": 10_240, "User": 2048, "Group": 5120}


def _document(member: str, check: Callable[[str], str | None]) -> Test:
    return lambda call: check(call.parameters[member])


def _size(member: str, limit: int, quota: str) -> Test:
    def test(call: Call) -> str | None:
        if documents.size(call.parameters[member]) <= limit:
            return None
        return f"Cannot exceed quota for {quota}: {limit}"

    return test


def _holder(call: Call, kind: str) -> Any:
    """Return the role, user or group of a call, or None."""
    name = call.parameter(f"{kind}Name")
    found = {"Role": iam().roles, "User": iam().users, "Group": iam().groups}[kind]
    return next((holder for holder in list(found.values()) if holder.name == name), None)


def _inline_size(kind: str) -> Test:
    limit = INLINE_SIZES[kind]

    def test(call: Call) -> str | None:
        holder = _holder(call, kind)
        others = dict(holder.policies) if holder is not None else {}
        others[call.parameters["PolicyName"]] = call.parameters["PolicyDocument"]
        if documents.total_size(others.values()) <= limit:
            return None
        return f"Maximum policy size of {limit} bytes exceeded for {kind.lower()} {call.parameters[f'{kind}Name']}"

    return test


def _attached(kind: str) -> Test:
    def test(call: Call) -> str | None:
        holder = _holder(call, kind)
        attached = holder.managed_policies if holder is not None else {}
        if len(attached) < MAX_ATTACHED or call.parameters["PolicyArn"] in attached:
            return None
        return f"Cannot exceed quota for PoliciesPer{kind}: {MAX_ATTACHED}"

    return test


def _versions(call: Call) -> str | None:
    policy = iam().managed_policies.get(call.parameters["PolicyArn"])
    if policy is None or len(policy.versions) < MAX_VERSIONS:
        return None
    return (
        f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must delete an "
        "existing version."
    )


def _attached_anywhere(call: Call) -> str | None:
    arn = call.parameters["PolicyArn"]
    holders = [*iam().roles.values(), *iam().users.values(), *iam().groups.values()]
    if any(arn in holder.managed_policies for holder in holders):
        return "Cannot delete a policy attached to entities."
    if any(getattr(holder, "permissions_boundary_arn", None) == arn for holder in holders):
        return "Cannot delete a policy attached to entities."
    policy = iam().managed_policies.get(arn)
    if policy is not None and len(policy.versions) > 1:
        return (
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    return None


def _boundary(call: Call) -> str | None:
    arn = call.parameter("PermissionsBoundary")
    if arn is None or arn in iam().managed_policies:
        return None
    return f"Scope ARN: {arn} does not exist or is not attachable."


def _tags(call: Call) -> list[dict[str, str]]:
    return list(call.parameter("Tags") or [])


def _reserved_tags(call: Call) -> str | None:
    reserved = [tag["Key"] for tag in _tags(call) if tag["Key"].lower().startswith("aws:")]
    return (
        f"aws: prefixed tag key names are not allowed for external use: {reserved[0]}" if reserved else None
    )


def _repeated_tags(call: Call) -> str | None:
    keys = [tag["Key"].lower() for tag in _tags(call)]
    if len(keys) == len(set(keys)):
        return None
    return "Duplicate tag keys found. Please note that Tag keys are case insensitive."


def _too_many_tags(call: Call) -> str | None:
    keys = {tag["Key"] for tag in _tags(call)} | _present_tags(call)
    return f"Cannot exceed quota for TagsPerResource: {MAX_TAGS}" if len(keys) > MAX_TAGS else None


def _present_tags(call: Call) -> set[str]:
    """Return the keys that the resource of a tagging call has already."""
    kind = call.operation.removeprefix("Tag")
    if kind == "Policy":
        holder = iam().managed_policies.get(call.parameter("PolicyArn"))
    else:
        holder = _holder(call, kind) if kind in ("Role", "User") else None
    tags = getattr(holder, "tags", None) or {}
    return set(tags) if isinstance(tags, dict) else {tag["Key"] for tag in tags}


def _same_name(call: Call) -> str | None:
    """Names are not distinguished by case. The same name is moto's to refuse."""
    kind = call.operation.removeprefix("Create")
    wanted = call.parameters[f"{kind}Name"]
    known = {
        "Role": iam().roles,
        "User": iam().users,
        "Group": iam().groups,
        "InstanceProfile": iam().instance_profiles,
    }[kind]
    if any(h.name.lower() == wanted.lower() and h.name != wanted for h in list(known.values())):
        return f"{kind} with name {wanted} already exists."
    return None


def _trusts(operation: str, member: str) -> tuple[Rule, ...]:
    size = _size(member, TRUST_SIZE, "ACLSizePerRole")
    return (
        Rule((operation,), _document(member, documents.trust_policy), "MalformedPolicyDocument", GRAMMAR),
        Rule((operation,), size, "LimitExceeded", QUOTAS, 409),
    )


_TAGGED = ("CreateRole", "CreateUser", "CreatePolicy", "CreateInstanceProfile", "CreateOpenIDConnectProvider")
_TAGGING = ("TagRole", "TagUser", "TagPolicy", "TagInstanceProfile", "TagOpenIDConnectProvider")
_NAMED = ("CreateRole", "CreateUser", "CreateGroup", "CreateInstanceProfile")
_MANAGED = ("CreatePolicy", "CreatePolicyVersion")
_INLINE = ("PutRolePolicy", "PutUserPolicy", "PutGroupPolicy")
_BOUNDED = ("CreateRole", "CreateUser", "PutRolePermissionsBoundary", "PutUserPermissionsBoundary")
_IDENTITY = _document("PolicyDocument", documents.identity_policy)

RULES: tuple[Rule, ...] = (
    *_trusts("CreateRole", "AssumeRolePolicyDocument"),
    *_trusts("UpdateAssumeRolePolicy", "PolicyDocument"),
    Rule((*_MANAGED, *_INLINE), _IDENTITY, "MalformedPolicyDocument", GRAMMAR),
    Rule(_MANAGED, _size("PolicyDocument", MANAGED_SIZE, "PolicySize"), "LimitExceeded", QUOTAS, 409),
    *(Rule((f"Put{kind}Policy",), _inline_size(kind), "LimitExceeded", QUOTAS, 409) for kind in INLINE_SIZES),
    *(Rule((f"Attach{kind}Policy",), _attached(kind), "LimitExceeded", QUOTAS, 409) for kind in INLINE_SIZES),
    Rule(("CreatePolicyVersion",), _versions, "LimitExceeded", QUOTAS, 409),
    Rule(_BOUNDED, _boundary, "NoSuchEntity", API + "PutRolePermissionsBoundary", 404),
    Rule(
        ("CreateOpenIDConnectProvider",),
        pattern("Url", r"https://.+", "Invalid Open ID Connect Provider URL"),
        "ValidationError",
        API + "CreateOpenIDConnectProvider: Url",
    ),
    Rule(("DeletePolicy",), _attached_anywhere, "DeleteConflict", API + "DeletePolicy", 409),
    Rule(_NAMED, _same_name, "EntityAlreadyExists", QUOTAS, 409),
    Rule((*_TAGGED, *_TAGGING), _reserved_tags, "InvalidInput", TAGGING),
    Rule((*_TAGGED, *_TAGGING), _repeated_tags, "InvalidInput", TAGGING),
    Rule((*_TAGGED, *_TAGGING), _too_many_tags, "LimitExceeded", TAGGING, 409),
)
