"""Gate skips: every checkov skip in the Terraform sources has a reason and takes effect."""

from __future__ import annotations

import re
from pathlib import Path

from ops.checks.findings import Finding, Result

COMMENT = re.compile(
    r"(?:checkov|bridgecrew|cortex):skip= *(?P<ids>[A-Za-z_\d-]+(?:,[A-Za-z_\d-]+)*)?(?::(?P<reason>[^\n]*))?"
)
BLOCK = re.compile(r"^(?:resource|data|module|provider) .*\{\n(?:.*\n)*?\}", re.MULTILINE)
SHORTEST = 15
"""Minimum length of a reason in characters, so that a word such as `legacy` is not enough."""


def comments(text: str) -> list[tuple[int, tuple[str, ...], str]]:
    """Return line, check IDs and reason of every skip in a source."""
    return [
        (number, tuple((match["ids"] or "").split(",")), (match["reason"] or "").strip())
        for number, line in enumerate(text.splitlines(), start=1)
        for match in COMMENT.finditer(line)
    ]


def reasons(root: Path) -> Result:
    """Return a finding for every skip under terraform/ without a reason or without effect."""
    files = sorted(path for path in (root / "terraform").rglob("*.tf") if ".terraform" not in path.parts)
    findings, examined = [], 0
    for path in files:
        text = path.read_text(encoding="utf-8")
        for line, ids, reason in comments(text):
            examined += 1
            if wrong := _wrong(text, line, ids, reason):
                what, advice = wrong
                findings.append(Finding("skip", what, advice, str(path.relative_to(root)), line))
    return Result("skips", examined, tuple(findings))


def _wrong(text: str, line: int, ids: tuple[str, ...], reason: str) -> tuple[str, str] | None:
    """Return the problem of a skip and its remedy, or None."""
    if not ids[0]:
        return "does not name a check", "write #checkov:skip=ID:REASON"
    named = ",".join(ids)
    if len(reason) < SHORTEST:
        problem = f"with the reason {reason!r} only" if reason else "without a reason"
        return (
            f"skips {named} {problem}",
            f"write #checkov:skip={named}:REASON, with a sentence as the reason",
        )
    blocks = [(text.count("\n", 0, m.start()) + 1, m.group().count("\n")) for m in BLOCK.finditer(text)]
    if not any(first < line < first + length for first, length in blocks):
        return (
            f"skips {named} without effect: the comment is outside a resource",
            "move it to the top of the resource block",
        )
    return None


def between(text: str, first: int, last: int) -> dict[str, str]:
    """Return the checks that are skipped between two lines, with their reasons."""
    return {i: reason for line, ids, reason in comments(text) if first <= line <= last for i in ids}
