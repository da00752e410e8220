"""What each role may do, and which of its permissions were used or denied, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ops import console
from ops.console import Step, say
from ops.environment import Environment
from ops.permissions import documents, matrix, reasons, record
from ops.permissions.documents import Document
from ops.permissions.reference import applies

STATES = {"used": "✓", "reasoned": "○", "unused": "✗"}


def show(env: Environment, decisions_file: Path, role: str | None) -> dict[str, Any]:
    """Print the permissions of every policy, or of one. Returns them for --json.

    decisions_file: the embedded AWS's record of access decisions.
    role: the name of one policy.
    """
    with Step("policies") as step:
        step("reading the roles' policies")
        found = documents.collect(env.client("iam"), env.settings.prefix)
        chosen = documents.choose(found, role)
        step("reading the access decisions")
        decisions = record.read(decisions_file)
        permissions = [p for document in chosen for p in document.permissions(applies)]
        rows = matrix.rows(permissions, matrix.uses(found, decisions), reasons.load())
        denied = matrix.denials(chosen, decisions)
        step.note = f"{len(rows)} permissions in {len(chosen)} policies, {len(decisions):,} access decisions"
    for document in chosen:
        _show_document(document, [row for row in rows if row.permission.document == document.name])
    if denied:
        console.table(
            "Denied",
            ["role", "action", "resource"],
            [(d.role, d.action, reasons.short(d.resource)) for d in denied],
        )
    counts = [_counts(document, rows, denied) for document in chosen]
    console.table("Policies", ["policy", "roles", *STATES, "denied"], counts)
    say("✓ used   ○ not used here, for the reason in policies/reasons.toml   ✗ unused")
    return {
        "permissions": [
            {**asdict(row.permission), "state": row.state, "uses": row.uses, "reason": row.reason}
            for row in rows
        ],
        "denied": [asdict(denial) for denial in denied],
    }


def _show_document(document: Document, rows: Sequence[matrix.Row]) -> None:
    """Print one policy: statements, their actions, their resources. Repeated cells are empty."""
    lines, last = [], ("", "")
    for row in rows:
        one = row.permission
        sid = one.sid if one.sid != last[0] else ""
        action = one.action if (one.sid, one.action) != last else ""
        lines.append((sid, action, reasons.short(one.resource), STATES[row.state], row.uses or row.reason))
        last = (one.sid, one.action)
    console.table(
        f"{document.name} ({', '.join(arn.rpartition('/')[2] for arn in document.roles)})",
        ["statement", "action", "resource", "", "distinct uses, or the reason"],
        lines,
    )


def _counts(
    document: Document, rows: Sequence[matrix.Row], denied: Sequence[matrix.Denial]
) -> tuple[str | int, ...]:
    states = Counter(row.state for row in rows if row.permission.document == document.name)
    names = {arn.rpartition("/")[2] for arn in document.roles}
    return (
        document.name,
        len(names),
        *(states[state] for state in STATES),
        sum(denial.role in names for denial in denied),
    )
