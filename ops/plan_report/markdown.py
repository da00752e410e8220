"""Render the report on plans as Markdown for a pull request comment, most severe changes first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ops.checks.findings import Finding
from ops.facts.prices import HOURS, prices
from ops.plan_report.cost import Estimate, Line
from ops.plan_report.permissions import Difference, Grant
from ops.plan_report.resources import KINDS, Change

LIMIT = 60_000  # characters; GitHub accepts 65,536 in a comment
SIGNS = {"destroy": "−", "replace": "±", "update": "~", "create": "+", "import": "←"}


@dataclass(frozen=True)
class StackPlan:
    """The report on one stack.

    skipped: why the stack was not planned; empty if it was.
    """

    stack: str
    changes: Sequence[Change] = ()
    permissions: Difference = field(default_factory=Difference)
    before: Estimate = field(default_factory=lambda: Estimate((), (), ()))
    after: Estimate = field(default_factory=lambda: Estimate((), (), ()))
    findings: Sequence[Finding] = ()
    skipped: str = ""


def marker(environment: str) -> str:
    """Return the first line of a report, which identifies the comment to replace in a later run."""
    return f"<!-- plan-report: {environment} -->"


def render(
    environment: str, plans: Sequence[StackPlan], notes: Sequence[str] = (), limit: int = LIMIT
) -> str:
    """Return the report.

    notes: sentences for the top of the report.
    limit: maximum length in characters; rows are left out to stay within it.
    """
    rows = None
    while True:
        text = _render(environment, plans, notes, rows)
        if len(text) <= limit or rows == 0:
            return text[:limit]
        rows = len(text.splitlines()) // 2 if rows is None else rows // 2


def _render(environment: str, plans: Sequence[StackPlan], notes: Sequence[str], rows: int | None) -> str:
    planned = [plan for plan in plans if not plan.skipped]
    parts = [f"{marker(environment)}\n## Plan for `{environment}`: {_summary(planned)}"]
    parts += [f"> {note}" for note in notes]
    parts += [f"> `{plan.stack}` is not planned: {plan.skipped}" for plan in plans if plan.skipped]
    parts += [part for part in (_destructive(planned), _overview(planned)) if part]
    parts += [
        _permissions(planned, rows),
        _cost(planned, rows),
        _findings(planned, rows),
        _changes(planned, rows),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _count(plans: Sequence[StackPlan], kind: str) -> int:
    return sum(change.kind == kind for plan in plans for change in plan.changes)


def _summary(plans: Sequence[StackPlan]) -> str:
    verbs = {
        "destroy": "to destroy",
        "replace": "to replace",
        "update": "to change",
        "create": "to add",
        "import": "to import",
    }
    counts = [f"{count} {verbs[kind]}" for kind in KINDS if (count := _count(plans, kind))]
    return ", ".join(counts) or "no changes"


def _destructive(plans: Sequence[StackPlan]) -> str:
    """List destroyed and replaced resources. This list is never shortened."""
    lines = [
        f"- **{'destroys' if change.kind == 'destroy' else 'replaces'}** `{change.address}` ({plan.stack})"
        + (f", forced by `{'`, `'.join(change.because)}`" if change.because else "")
        for kind in ("destroy", "replace")
        for plan in plans
        for change in plan.changes
        if change.kind == kind
    ]
    return (
        "> [!CAUTION]\n> **This plan destroys or replaces resources.**\n\n" + "\n".join(lines)
        if lines
        else ""
    )


def _overview(plans: Sequence[StackPlan]) -> str:
    header = ["stack", "destroy", "replace", "change", "add", "import"]
    rows = [[f"`{plan.stack}`", *(str(_count([plan], kind) or "") for kind in KINDS)] for plan in plans]
    return _table(header, rows, None)


def _permissions(plans: Sequence[StackPlan], limit: int | None) -> str:
    gained = [grant for plan in plans for grant in plan.permissions.gained]
    lost = [grant for plan in plans for grant in plan.permissions.lost]
    unknown = [address for plan in plans for address in plan.permissions.unknown]
    parts = ["### Permissions"]
    if unknown:
        parts.append(
            "> [!WARNING]\n> Unknown until apply, and not compared: " + ", ".join(f"`{a}`" for a in unknown)
        )
    for title, grants in (("New permissions", gained), ("Removed permissions", lost)):
        if grants:
            header = ["principal", "action", "resource", "condition"]
            parts.append(f"**{title}** ({len(grants)})\n\n" + _table(header, _grouped(grants), limit))
    return "\n\n".join(parts) if len(parts) > 1 else "### Permissions\n\nNo permissions change."


def _grouped(grants: Sequence[Grant]) -> list[list[str]]:
    """Return the rows: actions of a principal on the same resource, then resources with the same actions, share a row."""
    actions: dict[tuple[str, str, str, str], list[str]] = {}
    for grant in grants:
        key = (_short(grant.principal), grant.resource, grant.condition, grant.effect)
        actions.setdefault(key, []).append(f"`{grant.action}`")
    resources: dict[tuple[str, str, str, str], list[str]] = {}
    for (who, resource, condition, effect), names in sorted(actions.items()):
        denied = "explicitly denied: " if effect == "Deny" else ""
        resources.setdefault((who, denied + ", ".join(names), condition, effect), []).append(f"`{resource}`")
    return [
        [f"`{who}`" if who != "*" else "**anyone**", names, "<br>".join(places), _condition(condition)]
        for (who, names, condition, _), places in resources.items()
    ]


def _short(who: str) -> str:
    """Return the name of a role's ARN, as the role's own policy has only its name."""
    return who.rpartition("/")[2] if ":role/" in who else who


def _condition(condition: str) -> str:
    if not condition:
        return ""
    texts = []
    for operator, keys in json.loads(condition).items():
        if not isinstance(keys, dict):
            texts.append(f"{operator} = {keys}")
            continue
        for key, values in keys.items():
            shown = ", ".join(str(v) for v in (values if isinstance(values, list) else [values]))
            texts.append(f"`{key}` {operator} {shown}")
    return "<br>".join(texts)


def _cost(plans: Sequence[StackPlan], limit: int | None) -> str:
    before_low, before_high = sum(p.before.low for p in plans), sum(p.before.high for p in plans)
    after_low, after_high = sum(p.after.low for p in plans), sum(p.after.high for p in plans)
    parts = [
        "### Cost per month",
        _table(
            ["", "before", "after", "difference"],
            [
                [
                    "**USD**",
                    _usd(before_low, before_high),
                    _usd(after_low, after_high),
                    _usd(after_low - before_low, after_high - before_high, sign=True),
                ]
            ],
            None,
        ),
    ]
    old = {line.address: line for plan in plans for line in plan.before.lines}
    new = {line.address: line for plan in plans for line in plan.after.lines}
    rows = [
        [f"`{address}`", _line(old.get(address)), _line(new.get(address))]
        for address in dict.fromkeys([*new, *old])
        if old.get(address) != new.get(address)
    ]
    if rows:
        parts.append(_table(["what", "before", "after"], rows, limit))
    by_use = sorted({what for plan in plans for what in plan.after.by_use})
    listed = prices()
    text = f"On-demand list prices of {listed['region']}, {listed['as_of']}; {HOURS} hours."
    if by_use:
        text += f" Billed by use, not included: {', '.join(by_use)}."
    if unpriced := sorted({address for plan in plans for address in plan.after.unpriced}):
        text += f" **Unknown price:** {', '.join(f'`{address}`' for address in unpriced)}."
    return "\n\n".join([*parts, text])


def _line(line: Line | None) -> str:
    return f"{line.what}: {_usd(line.low, line.high)}" if line else ""


def _usd(low: float, high: float, sign: bool = False) -> str:
    plus = "+" if sign else ""
    if round(low, 2) == round(high, 2):
        return f"{low:{plus},.2f}"
    return f"{low:{plus},.2f} to {high:{plus},.2f}"


def _findings(plans: Sequence[StackPlan], limit: int | None) -> str:
    rows = [[f"`{f.rule}`", f"`{f.where}`", f"{f.what}: {f.advice}"] for plan in plans for f in plan.findings]
    if not rows:
        return "### Findings\n\ncheckov reports none."
    return f"### Findings\n\ncheckov reports {len(rows)}.\n\n" + _table(["check", "at", "what"], rows, limit)


def _changes(plans: Sequence[StackPlan], limit: int | None) -> str:
    rows = [
        [
            f"`{plan.stack}`",
            SIGNS[change.kind],
            f"`{change.address}`",
            ", ".join(f"`{a}`" for a in change.attributes),
        ]
        for plan in plans
        for change in plan.changes
    ]
    if not rows:
        return ""
    table = _table(["stack", "", "resource", "changes"], rows, limit)
    return f"<details><summary>All {len(rows)} changes</summary>\n\n{table}\n\n</details>"


def _table(header: list[str], rows: Sequence[Sequence[str]], limit: int | None) -> str:
    shown = rows if limit is None else rows[:limit]
    lines = [header, ["---"] * len(header), *shown]
    text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    left = len(rows) - len(shown)
    return text if not left else f"{text}\n\n… and {left} more: `./inv plan` shows them."
