"""Gates of `./inv plan --fail-on`: what in a plan fails the command."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ops.errors import OperatorError
from ops.plan_report.markdown import StackPlan

NAMES = "destroy, replace, new-permission, finding, cost>USD"


def parse(text: str) -> list[str]:
    """Return the gates of a comma-separated list.

    Raises:
        OperatorError: A gate does not exist.
    """
    gates = [part.strip().replace(" ", "") for part in text.split(",") if part.strip()]
    for gate in gates:
        if gate not in GATES and not re.fullmatch(r"cost>\d+(\.\d+)?", gate):
            raise OperatorError(f"--fail-on {gate}: unknown gate; the gates are {NAMES}.")
    return gates


def reasons(gates: Sequence[str], plans: Sequence[StackPlan]) -> list[str]:
    """Return a phrase for each gate that the plans do not pass."""
    planned = [plan for plan in plans if not plan.skipped]
    found = []
    for gate in gates:
        if gate.startswith("cost>"):
            found.append(_cost(float(gate.removeprefix("cost>")), planned))
        else:
            found.append(GATES[gate](planned))
    return [reason for reason in found if reason]


def _destroys(plans: Sequence[StackPlan]) -> str:
    """Replacements count: they destroy too."""
    gone = [c.address for p in plans for c in p.changes if c.kind in ("destroy", "replace")]
    return f"destroys {_listed(gone)}" if gone else ""


def _replaces(plans: Sequence[StackPlan]) -> str:
    gone = [c.address for p in plans for c in p.changes if c.kind == "replace"]
    return f"replaces {_listed(gone)}" if gone else ""


def _permits(plans: Sequence[StackPlan]) -> str:
    """Unknown policies count: they may allow anything."""
    gained = [f"{g.principal}: {g.action} on {g.resource}" for p in plans for g in p.permissions.gained]
    gained += [f"{address} is unknown until apply" for p in plans for address in p.permissions.unknown]
    return f"grants new permissions ({_listed(gained)})" if gained else ""


def _finds(plans: Sequence[StackPlan]) -> str:
    found = [f"{f.rule} at {f.where}" for p in plans for f in p.findings]
    return f"has findings ({_listed(found)})" if found else ""


def _cost(limit: float, plans: Sequence[StackPlan]) -> str:
    """Compare the cost at maximum capacity."""
    more = sum(p.after.high - p.before.high for p in plans)
    unpriced = [address for p in plans for address in p.after.unpriced if address not in p.before.unpriced]
    if unpriced:
        return f"creates resources without a known price ({_listed(unpriced)})"
    return f"may cost {more:,.2f} USD a month more, above the limit of {limit:,.2f}" if more > limit else ""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


GATES: dict[str, Callable[[Sequence[StackPlan]], str]] = {
    "destroy": _destroys,
    "replace": _replaces,
    "new-permission": _permits,
    "finding": _finds,
}
