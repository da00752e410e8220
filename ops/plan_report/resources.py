"""Read the resources of a plan from `terraform show -json`: before, after and changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Most severe first.
KINDS = ("destroy", "replace", "update", "create", "import")


@dataclass(frozen=True)
class Resource:
    """A managed resource.

    values: its attributes, without those that are unknown at plan time.
    """

    address: str
    type: str
    values: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Change:
    """A planned change of a resource.

    kind: one of KINDS.
    attributes: names of attributes that differ or are unknown at plan time.
    because: names of attributes that force a replacement.
    """

    address: str
    type: str
    kind: str
    attributes: tuple[str, ...] = ()
    because: tuple[str, ...] = ()


def changes(plan: dict[str, Any]) -> list[Change]:
    """Return the changes of a plan, most severe first, without data sources and no-ops."""
    found = []
    for item in plan.get("resource_changes", []):
        change = item["change"]
        if item["mode"] != "managed" or not (kind := _kind(change)):
            continue
        found.append(
            Change(
                item["address"],
                item["type"],
                kind,
                _differing(change) if kind in ("update", "replace") else (),
                tuple(sorted({str(path[0]) for path in change.get("replace_paths", [])})),
            )
        )
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.address))


def before(plan: dict[str, Any]) -> list[Resource]:
    """Return the resources before the plan is applied."""
    return list(_resources(plan.get("prior_state", {}).get("values", {}).get("root_module", {})))


def after(plan: dict[str, Any]) -> list[Resource]:
    """Return the resources after the plan is applied."""
    return list(_resources(plan.get("planned_values", {}).get("root_module", {})))


def unknown(plan: dict[str, Any], attribute: str) -> list[str]:
    """Return the addresses of resources whose attribute is unknown until apply."""
    return [
        item["address"]
        for item in plan.get("resource_changes", [])
        if item["mode"] == "managed" and (item["change"].get("after_unknown") or {}).get(attribute) is True
    ]


def _kind(change: dict[str, Any]) -> str:
    """Return the kind of a change, empty for a no-op. A resource that is imported and updated is an update."""
    actions = change["actions"]
    if "importing" in change and actions == ["no-op"]:
        return "import"
    if "create" in actions and "delete" in actions:
        return "replace"
    return {"create": "create", "update": "update", "delete": "destroy", "forget": "destroy"}.get(
        actions[0], ""
    )


def _differing(change: dict[str, Any]) -> tuple[str, ...]:
    old, new, later = (change.get(part) or {} for part in ("before", "after", "after_unknown"))
    # Null, empty list and empty map are the same.
    names = {name for name in new if new[name] != old.get(name) and (new[name] or old.get(name))}
    names |= {name for name, is_unknown in later.items() if is_unknown is True}
    return tuple(sorted(names - {"arn", "id", "tags_all"}))


def _resources(module: dict[str, Any]) -> Iterator[Resource]:
    for item in module.get("resources", []):
        if item["mode"] == "managed":
            yield Resource(item["address"], item["type"], item["values"])
    for child in module.get("child_modules", []):
        yield from _resources(child)
