"""Short texts that several stages print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ops.terraform.adoption import adopt as adoption
from ops.terraform.stack import Change


def changes_note(changes: Sequence[Change], what: str) -> str:
    """Return how many resources of a stack changed, and how many of them were adopted, or that `what` is unchanged."""
    if not changes:
        return f"{what} unchanged"
    adopted = sum("import" in change.actions for change in changes)
    note = f"adopted {adoption.summary(adopted)}"
    return f"{len(changes)} resources changed" + (f" ({note})" if adopted else "")


def local_time(moment: datetime | None) -> str | None:
    """Return a moment in the operator's time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else None


def number(value: object) -> str:
    """Return a number with five digits; any other value as text."""
    try:
        return f"{float(str(value)):.5g}"
    except ValueError:
        return "" if value is None else str(value)
