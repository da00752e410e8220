"""Plan with imports: repeat a plan until it creates nothing that exists."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ops.errors import OperatorError
from ops.terraform.adoption.rules import Planned
from ops.terraform.adoption.search import Import

FILE = "adopted.tf.json"
"""Name of the file with the import blocks of one plan."""

NAMED = 10
"""Number of resources that a message names."""

Find = Callable[[Sequence[Planned]], list[Import]]
Json = Mapping[str, Any]


def created(shown: Json) -> list[Planned]:
    """Return the resources that a plan creates, of `terraform show -json`."""
    return [
        Planned(change["address"], change["type"], _known(change["change"]))
        for change in shown.get("resource_changes", [])
        if change["mode"] == "managed" and change["change"]["actions"] == ["create"]
    ]


def _known(change: Json) -> dict[str, Any]:
    unknown = change.get("after_unknown") or {}
    return {name: value for name, value in (change["after"] or {}).items() if unknown.get(name) is not True}


def import_blocks(imports: Sequence[Import]) -> dict[str, str]:
    """Return the configuration file with the import blocks of a plan, its text by its name; nothing without imports."""
    blocks = [{"to": _literal(item.address), "id": _literal(item.id)} for item in imports]
    return {FILE: json.dumps({"import": blocks}, indent=2)} if blocks else {}


def _literal(text: str) -> str:
    """Return a string of JSON configuration in which Terraform finds no template."""
    return text.replace("${", "$${").replace("%{", "%%{")


def check_replacements(shown: Json, imports: Sequence[Import]) -> None:
    """Refuse a plan that creates the replacement of a failed resource before it deletes it: both have the same name."""
    failed = {item.address: item for item in imports if item.replace}
    for change in shown.get("resource_changes", []):
        if change["address"] in failed and change["change"]["actions"] == ["create", "delete"]:
            raise OperatorError(
                f"{change['type']} {failed[change['address']].id}, which an interrupted apply left, has failed and "
                "cannot be replaced while it exists. Delete it in the AWS console, then run the command again."
            )


def summary(count: int) -> str:
    """Return what is adopted, e.g. `3 resources left by an interrupted apply`."""
    return f"{count} resource{'s' if count != 1 else ''} left by an interrupted apply"


def names(imports: Sequence[Import]) -> str:
    """Return the addresses of the imports, shortened if there are many."""
    shown = [item.address for item in imports[:NAMED]]
    more = len(imports) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
