"""Delete resources in the order of their dependencies, again and again while that makes progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.errors import OperatorError
from ops.inventory.errors import is_gone, is_in_use
from ops.inventory.search import Found, look_again
from ops.text import clause
from ops.waiting import Pause

LIMIT_SECONDS = 2400
"""Longest time in all. A function's network interfaces, which block its network, go after up to 40 minutes."""
STUCK_SECONDS = 300
"""Longest time without a change while nothing is being deleted."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Remaining:
    """A resource that was not deleted, and why."""

    found: Found
    reason: str


def remove(found: Sequence[Found], progress: Progress) -> list[Remaining]:
    """Delete resources, which are in the order of their deletion, and wait until they are gone.

    Returns those that remain, each with the reason.
    """
    left, pause, changed_at = list(found), Pause(shortest=1), 0.0
    while left:
        reasons = [_delete(item, progress) for item in left]
        again = look_again(left)
        reason_of = {_id(item): reason for item, reason in zip(left, reasons, strict=True)}
        changed = [(_id(item), item.resource.ending) for item in left] != [
            (_id(item), item.resource.ending) for item in again
        ]
        left = again
        if changed:
            changed_at = pause.waited
        ending = any(item.resource.ending for item in left)
        may_end = ending or any(not reason_of[_id(item)].is_final for item in left)
        patience = LIMIT_SECONDS if ending else changed_at + STUCK_SECONDS
        if left and not changed and (not may_end or pause.waited > min(patience, LIMIT_SECONDS)):
            return [Remaining(item, reason_of[_id(item)].text) for item in left]
        if left and not changed:
            progress(f"waiting for {_words(left)} ({pause.waited:.0f} s)")
            pause()
    return []


@dataclass(frozen=True)
class _Reason:
    """Why a resource was not deleted. is_final: waiting does not help."""

    text: str
    is_final: bool


def _delete(item: Found, progress: Progress) -> _Reason:
    """Begin the deletion of a resource. Returns why it may still exist."""
    if item.kind is None:
        return _Reason("its kind is unknown to the inventory: delete it in AWS's console", True)
    if item.resource.ending:
        return _Reason("its deletion has not ended", False)
    progress(f"deleting {item.kind.name} {item.resource.name}")
    try:
        item.kind.delete(replace(item.place, progress=progress), item.resource)
    except ClientError as error:
        if is_gone(error):
            return _Reason("AWS still lists it", False)
        message = clause(str(error.response.get("Error", {}).get("Message", error)))
        return _Reason(f"{error_code(error)}: {message}", not is_in_use(error))
    except OperatorError as error:
        return _Reason(str(error), True)
    return _Reason("AWS still lists it after its deletion", False)


def _id(item: Found) -> tuple[str, str, str]:
    return item.place.region, item.resource.arn, item.resource.id


def _words(left: Sequence[Found]) -> str:
    """Return what is waited for, e.g. "endpoint a and 3 others"."""
    first = min(left, key=lambda item: not item.resource.ending)
    kind = first.kind.name if first.kind else "resource"
    more = f" and {len(left) - 1} others" if len(left) > 1 else ""
    return f"the deletion of {kind} {first.resource.name}{more}"
