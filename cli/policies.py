"""The task that shows what each role may do, and what of it was ever used."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from cli.task import ENV, JSON, decision_record, environment, operator_task
from ops import console
from ops.console import Step, emit, say

STATES = {"used": "✓", "reasoned": "○", "unused": "✗"}


@operator_task(help={**ENV, **JSON, "role": "one policy only, such as operator, training or stacks-storage"})
def policies(c, env=None, role=None, json=False):
    """Role by action by resource: used, unused or denied, by the record of decisions of the embedded AWS."""
    from ops.aws import client
    from ops.permissions import documents, matrix, reasons, record
    from ops.permissions.reference import applies

    settings = environment(env)
    file = decision_record(settings)
    with Step("policies") as step:
        step("reading the roles' policies")
        found = documents.collect(client("iam", settings.region), settings.prefix)
        chosen = documents.choose(found, role)
        step("reading the record of decisions")
        decisions = record.read(file)
        permissions = [p for document in chosen for p in document.permissions(applies)]
        rows = matrix.rows(permissions, matrix.uses(found, decisions), reasons.load())
        denied = matrix.denials(chosen, decisions)
        step.note = f"{len(rows)} permissions in {len(chosen)} policies, by {len(decisions):,} decisions"
    for document in chosen:
        _show(document, [row for row in rows if row.permission.document == document.name])
    if denied:
        console.table(
            "Denied",
            ["role", "action", "resource"],
            [(d.role, d.action, reasons.short(d.resource)) for d in denied],
        )
    console.table(
        "Policies",
        ["policy", "roles", *STATES, "denied"],
        [_counts(document, rows, denied) for document in chosen],
    )
    say("✓ used   ○ not used here, for the reason in policies/reasons.toml   ✗ unused")
    emit(
        {
            "permissions": [
                {**asdict(row.permission), "state": row.state, "uses": row.uses, "reason": row.reason}
                for row in rows
            ],
            "denied": [asdict(denial) for denial in denied],
        },
        json,
    )


def _show(document, rows) -> None:
    """One table for each policy: statements, their actions, their resources; what repeats is left out."""
    from ops.permissions.reasons import short

    lines, last = [], ("", "")
    for row in rows:
        one = row.permission
        sid = one.sid if one.sid != last[0] else ""
        action = one.action if (one.sid, one.action) != last else ""
        lines.append((sid, action, short(one.resource), STATES[row.state], row.uses or row.reason))
        last = (one.sid, one.action)
    console.table(
        f"{document.name} ({', '.join(arn.rpartition('/')[2] for arn in document.roles)})",
        ["statement", "action", "resource", "", "distinct uses, or why it is there"],
        lines,
    )


def _counts(document, rows, denied) -> tuple:
    states = Counter(row.state for row in rows if row.permission.document == document.name)
    names = {arn.rpartition("/")[2] for arn in document.roles}
    return (
        document.name,
        len(names),
        *(states[state] for state in STATES),
        sum(denial.role in names for denial in denied),
    )
