"""Skips of checkov in the sources: each says why."""

from __future__ import annotations

import re
from pathlib import Path

from ops.checks.findings import Finding, Result

COMMENT = re.compile(
    r"(?:checkov|bridgecrew|cortex):skip= *(?P<ids>[A-Za-z_\d-]+(?:,[A-Za-z_\d-]+)*)?(?::(?P<reason>[^\n]*))?"
)
BLOCK = re.compile(r"^(?:resource|data|module|provider) .*\{\n(?:.*\n)*?\}", re.MULTILINE)
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
    """Every skip under terraform/ has a reason, and stands where it takes effect. root: of the repository."""
    files = sorted(path for path in (root / "terraform").rglob("*.tf") if ".terraform" not in path.parts)
    findings, examined = [], 0
    for path in files:
        text = path.read_text()
        for line, ids, reason in comments(text):
            examined += 1
            if wrong := _wrong(text, line, ids, reason):
                what, advice = wrong
                findings.append(Finding("skip", what, advice, str(path.relative_to(root)), line))
    return Result("skips", examined, tuple(findings))


def _wrong(text: str, line: int, ids: tuple[str, ...], reason: str) -> tuple[str, str] | None:
    """What is wrong with a skip, and what to do about it."""
    if not ids[0]:
        return "names no check", "write #checkov:skip=ID:REASON"
    named = ",".join(ids)
    if len(reason) < SHORTEST:
        told = f"only {reason!r}" if reason else "nothing"
        return (
            f"skips {named} and says {told} as its reason",
            f"write #checkov:skip={named}:REASON in a sentence",
        )
    blocks = [(text.count("\n", 0, m.start()) + 1, m.group().count("\n")) for m in BLOCK.finditer(text)]
    if not any(first < line < first + length for first, length in blocks):
        return (
            f"skips {named} for nothing: it stands outside of a resource",
            "move it inside, to the top of the block",
        )
    return None


def between(text: str, first: int, last: int) -> dict[str, str]:
    """The checks that the lines of a resource skip, with their reasons."""
    return {i: reason for line, ids, reason in comments(text) if first <= line <= last for i in ids}
