"""Numbers and times as the report writes them."""

from __future__ import annotations

from datetime import datetime

NONE = "–"


def percent(value: float | None) -> str:
    """Return a share from 0 to 1 as percentage."""
    return NONE if value is None else f"{value:.1%}"


def duration(seconds: float | None) -> str:
    """Return seconds for people, such as 2 min 5 s."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def usd(value: float | None) -> str:
    """Return an amount in USD: with cents, or with more digits below a dollar."""
    if value is None:
        return NONE
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


def moment(when: datetime | None) -> str:
    """Return a time in the local time zone, to the minute."""
    return NONE if when is None else when.astimezone().strftime("%Y-%m-%d %H:%M")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as 1 image or 2 images."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
