"""The policies of an environment's roles, read from IAM, and the permissions that they grant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ops.errors import OperatorError

Applies = Callable[[str, str], bool]
"""applies(action, resource): whether the action supports resources of this type."""


@dataclass(frozen=True)
class Permission:
    """One action that a statement allows on one resource.

    document: name of the policy.
    resource: pattern of ARNs.
    """

    document: str
    sid: str
    action: str
    resource: str


@dataclass(frozen=True)
class Document:
    """A policy.

    name: name without the prefix of the environment.
    roles: ARNs of the roles that have it.
    """

    name: str
    roles: tuple[str, ...]
    statements: tuple[dict[str, Any], ...]

    def permissions(self, applies: Applies = lambda action, resource: True) -> list[Permission]:
        """Return the permissions, without those whose action does not apply to their resource."""
        return [
            Permission(self.name, statement["Sid"], action, resource)
            for statement in self.statements
            if statement["Effect"] == "Allow"
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            if applies(action, resource)
        ]


def collect(iam: Any, prefix: str) -> list[Document]:
    """Return the policies of all roles whose name starts with `prefix` and a hyphen, sorted by name."""
    found: dict[str, Document] = {}
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith(f"{prefix}-"):
                for name, document in _policies(iam, role["RoleName"]):
                    short = name.removeprefix(f"{prefix}-")
                    known = found.get(short)
                    roles = (*known.roles, role["Arn"]) if known else (role["Arn"],)
                    found[short] = Document(short, roles, tuple(as_list(document["Statement"])))
    return [found[name] for name in sorted(found)]


def choose(documents: list[Document], name: str | None) -> list[Document]:
    """Return the policy with this name, or all.

    Raises:
        OperatorError: There is no such policy, or no policy at all.
    """
    if not documents:
        raise OperatorError("This environment has no roles yet: run ./inv apply --stack foundation.")
    chosen = [document for document in documents if name in (None, document.name)]
    if not chosen:
        names = ", ".join(document.name for document in documents)
        raise OperatorError(f"--role {name}: unknown policy; the policies are {names}.")
    return chosen


def as_list(value: Any) -> list[Any]:
    """Return an element of a policy as a list: IAM omits the brackets around a single value."""
    return value if isinstance(value, list) else [value]


def _policies(iam: Any, role: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and document of a role's inline and attached policies."""
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            yield name, iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            yield policy["PolicyName"], document
