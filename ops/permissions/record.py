"""Read the embedded AWS's record of access decisions, a file of JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ops.documents import decode


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
    """Return the decisions in a file and in its predecessor, oldest first. A missing file is empty. Raises UnreadableDocument."""
    kind = TypeAdapter(Decision)
    return [
        decode(
            kind,
            line,
            what=f"Line {number} of {file}",
            remedy="run ./inv local.down --forget, then ./inv demo to record again",
        )
        for file in (path.with_name(f"{path.name}.1"), path)
        if file.exists()
        for number, line in enumerate(file.read_bytes().splitlines(), 1)
    ]
