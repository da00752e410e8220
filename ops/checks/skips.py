"""Skips of checkov in the sources: each says why."""

from __future__ import annotations

import re
from pathlib import Path

from ops.checks.findings import Finding, Result

COMMENT = re.compile(
    r"(?:checkov|bridgecrew|cortex):skip= *(?P<ids>[A-Za-z_\d-]+(?:,[A-Za-z_\d-]+)*)?(?::(?P<reason>[^\n]*))?"
)
SHORTEST = 15
"""Characters of a reason: "legacy" is none."""


def comments(text: str) -> list[tuple[int, tuple[str, ...], str]]:
    """Line, checks and reason of every skip in a source."""
    return [
        (number, tuple((match["ids"] or "").split(",")), (match["reason"] or "").strip())
        for number, line in enumerate(text.splitlines(), start=1)
        for match in COMMENT.finditer(line)
    ]


def reasons(root: Path) -> Result:
    """Every skip under terraform/ has a reason. root: of the repository."""
    files = sorted(path for path in (root / "terraform").rglob("*.tf") if ".terraform" not in path.parts)
    found = [(path, line, ids, reason) for path in files for line, ids, reason in comments(path.read_text())]
    return Result(
        "skips",
        len(found),
        tuple(
            Finding(
                rule="reason",
                what=f"skips {' and '.join(ids) or 'nothing'} without saying why"
                + (f": {reason!r}" if reason else ""),
                advice=f"write #checkov:skip={','.join(ids) or 'ID'}:REASON in a sentence, or mend the cause",
                file=str(path.relative_to(root)),
                line=line,
            )
            for path, line, ids, reason in found
            if len(reason) < SHORTEST or not ids[0]
        ),
    )


def between(text: str, first: int, last: int) -> dict[str, str]:
    """The checks that the lines of a resource skip, with their reasons."""
    return {i: reason for line, ids, reason in comments(text) if first <= line <= last for i in ids}
