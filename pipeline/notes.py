"""Short texts that several stages print."""

from __future__ import annotations

from collections.abc import Sized
from datetime import datetime


def changes_note(changes: Sized, what: str) -> str:
    """Return how many resources of a stack changed, or that `what` is unchanged."""
    return f"{len(changes)} resources changed" if changes else f"{what} unchanged"


def local_time(moment: datetime | None) -> str | None:
    """Return a moment in the operator's time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else None


def number(value: object) -> str:
    """Return a number with five digits; any other value as text."""
    try:
        return f"{float(str(value)):.5g}"
    except ValueError:
        return "" if value is None else str(value)
