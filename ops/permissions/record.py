"""Read the embedded AWS's record of access decisions, a file of JSON lines."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Decision:
    """A decision on a request.

    time: seconds since the epoch.
    principal: ARN of the role.
    session: ARN of the role session.
    context: condition keys that the policies use.
    statements: Sids of the statements that allowed it.
    """

    time: float
    principal: str
    session: str
    action: str
    resource: str
    context: dict[str, str | list[str]]
    allowed: bool
    reason: str
    statements: tuple[str, ...]


def read(path: Path) -> list[Decision]:
    """Return the decisions in a file and in its predecessor, oldest first. A missing file is empty."""
    known = [field.name for field in fields(Decision)]
    found = []
    for file in (path.with_name(f"{path.name}.1"), path):
        for line in file.read_text().splitlines() if file.exists() else ():
            entry = json.loads(line)
            entry["statements"] = tuple(entry["statements"])
            found.append(Decision(**{name: entry[name] for name in known}))
    return found
