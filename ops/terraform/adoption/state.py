"""Write into the state what an import does not read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ops.terraform.adoption.search import Import


def record(s3: Any, bucket: str, key: str, imports: Sequence[Import]) -> None:
    """Write the unread arguments of imported resources into the state, whose lock the caller holds."""
    unread = {item.address: item.unread for item in imports if item.unread and not item.replace}
    if not unread:
        return
    state = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    for resource in state["resources"]:
        for instance in resource["instances"]:
            instance["attributes"].update(unread.get(_address(resource, instance), {}))
    state["serial"] += 1
    s3.put_object(
        Bucket=bucket, Key=key, Body=json.dumps(state, indent=2).encode(), ContentType="application/json"
    )


def _address(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    index = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    mode = "data" if resource["mode"] == "data" else ""
    parts = (resource.get("module", ""), mode, resource["type"], f"{resource['name']}{index}")
    return ".".join(part for part in parts if part)
