"""The policy documents of an environment's roles, as IAM has them, and the action–resource pairs they allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.errors import OperatorError

Applies = Callable[[str, str], bool]
"""applies(action, resource): whether an action can be limited to such a resource at all."""


@dataclass(frozen=True)
class Permission:
    """One action on one resource, a pattern, that a statement allows."""

    document: str
    sid: str
    action: str
    resource: str


@dataclass(frozen=True)
class Document:
    """A policy: its name without the environment's prefix, the ARNs of the roles that have it, its statements."""

    name: str
    roles: tuple[str, ...]
    statements: tuple[dict, ...]

    def permissions(self, applies: Applies = lambda action, resource: True) -> list[Permission]:
        """The pairs that the statements allow, less those where the action has nothing to do with the resource."""
        return [
            Permission(self.name, statement["Sid"], action, resource)
            for statement in self.statements
            if statement["Effect"] == "Allow"
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            if applies(action, resource)
        ]


def collect(iam, prefix: str) -> list[Document]:
    """The documents of every role whose name starts with `prefix` and a hyphen, by name. iam: a client of IAM."""
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
    """The document of that name, or all. Raises OperatorError if there is none, or none at all."""
    if not documents:
        raise OperatorError("No role of this environment exists yet: run ./inv apply --stack foundation.")
    chosen = [document for document in documents if name in (None, document.name)]
    if not chosen:
        there = ", ".join(document.name for document in documents)
        raise OperatorError(f"--role {name}: there is no such policy here, but {there}.")
    return chosen


def as_list(value) -> list:
    """A policy's element, which may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def _policies(iam, role: str) -> Iterator[tuple[str, dict]]:
    """Names and documents of what is written into a role, and of what is attached to it."""
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            yield name, iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            yield policy["PolicyName"], document
