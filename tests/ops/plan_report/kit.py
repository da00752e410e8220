"""Make plans, as `terraform show -json` prints them, from a few resources."""

from __future__ import annotations

import json
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/trainer"


def resource(kind: str, label: str = "this", /, **values: Any) -> dict[str, Any]:
    """Return a managed resource."""
    return {"address": f"{kind}.{label}", "mode": "managed", "type": kind, "name": label, "values": values}


def plan(
    before: list[dict], after: list[dict], unknown: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """Return a plan from one set of resources to another. unknown: names of unknown attributes by address."""
    old, new = ({item["address"]: item for item in items} for items in (before, after))
    return {
        "prior_state": {"values": {"root_module": {"resources": before}}},
        "planned_values": {"root_module": {"child_modules": [{"resources": after}]}},
        "resource_changes": [
            _change(address, old.get(address), new.get(address), (unknown or {}).get(address, []))
            for address in {**old, **new}
        ],
    }


def _change(address: str, old: dict | None, new: dict | None, unknown: list[str]) -> dict[str, Any]:
    values = [item and item["values"] for item in (old, new)]
    actions = (
        ["create"]
        if not old
        else ["delete"]
        if not new
        else ["no-op" if values[0] == values[1] else "update"]
    )
    change = {
        "actions": actions,
        "before": values[0],
        "after": values[1],
        "after_unknown": dict.fromkeys(unknown, True),
    }
    return {"address": address, "mode": "managed", "type": (old or new or {})["type"], "change": change}


def document(*statements: dict[str, Any]) -> str:
    """Return a policy document. Statements allow unless they have an Effect."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})


def role_policy(*statements: dict[str, Any], role: str = "trainer") -> dict[str, Any]:
    """Return an inline policy of a role."""
    return resource("aws_iam_role_policy", role, role=role, policy=document(*statements))
