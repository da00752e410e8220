"""A record of decisions about requests: JSON lines, as the rehearsal's access control keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Decision:
    """One decision. time: seconds of the epoch. principal: the role's ARN, session: the ARN with the session's name.
    context: the condition keys that policies asked for. statements: the Sids of what allowed it."""

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
    """The decisions in a file and in the one before it, oldest first; none if there is no file."""
    known = [field.name for field in fields(Decision)]
    found = []
    for file in (path.with_name(f"{path.name}.1"), path):
        for line in file.read_text().splitlines() if file.exists() else ():
            entry = json.loads(line)
            entry["statements"] = tuple(entry["statements"])
            found.append(Decision(**{name: entry[name] for name in known}))
    return found
