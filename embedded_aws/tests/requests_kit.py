"""Minimal requests for API operations."""

from __future__ import annotations

from typing import Any


def minimal_value(shape: Any) -> Any:
    """Return the smallest value of a botocore shape that passes its validation."""
    if shape.type_name == "structure":
        names = shape.required_members or (list(shape.members)[:1] if shape.is_tagged_union else [])
        return {name: minimal_value(shape.members[name]) for name in names}
    if shape.type_name == "list":
        return [minimal_value(shape.member)] * shape.metadata.get("min", 0)
    if shape.type_name == "map":
        return {}
    if shape.type_name in ("integer", "long", "float", "double", "timestamp"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "boolean":
        return False
    if shape.type_name == "blob":
        return b"-"
    return shape.enum[0] if shape.enum else "a" * max(1, shape.metadata.get("min", 1))
