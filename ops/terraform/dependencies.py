"""Which resources of a Terraform state depend on which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_INSTANCE_KEY = re.compile(r'\["[^"]*"\]|\[\d+\]')


def configuration_address(address: str) -> str:
    """Return the address of a resource without instance keys: as in the configuration, and in a state's dependencies."""
    return _INSTANCE_KEY.sub("", address)


def needed(state: Mapping[str, Any], chosen: Iterable[str]) -> frozenset[str]:
    """Return the configuration addresses of resources and of everything that they depend on.

    state: content of a state object.
    chosen: configuration addresses of resources or modules.
    """
    prefixes = tuple(chosen)
    found: set[str] = set()
    for resource in state.get("resources", []):
        address = _address(resource)
        if any(address == prefix or address.startswith(f"{prefix}.") for prefix in prefixes):
            found.add(address)
            # A state lists indirect dependencies as well.
            for instance in resource.get("instances", []):
                found.update(instance.get("dependencies", []))
    return frozenset(found)


def identifiers(state: Mapping[str, Any]) -> frozenset[str]:
    """Return the IDs, names and ARNs of the resources in a state."""
    return frozenset(
        str(value)
        for resource in state.get("resources", [])
        if resource.get("mode") == "managed"
        for instance in resource.get("instances", [])
        for name, value in (instance.get("attributes") or {}).items()
        if name in ("arn", "bucket", "id", "key_id", "name") and value
    )


def _address(resource: Mapping[str, Any]) -> str:
    """Return the configuration address of a resource in a state."""
    module = f"{resource['module']}." if resource.get("module") else ""
    data = "data." if resource.get("mode") == "data" else ""
    return configuration_address(f"{module}{data}{resource['type']}.{resource['name']}")
