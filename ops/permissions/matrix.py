"""Compare the permissions of roles with their recorded use: used, unused with a reason, unused; and denials."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ops.permissions.documents import Document, Permission
from ops.permissions.reasons import Reasons
from ops.permissions.record import Decision


@dataclass(frozen=True)
class Row:
    """A permission and its use.

    uses: number of decisions that it allowed.
    reason: why it is needed although the local run does not use it; empty if no reason is given.
    """

    permission: Permission
    uses: int
    reason: str

    @property
    def state(self) -> str:
        """used, unused, or reasoned: unused with a reason."""
        return "used" if self.uses else "reasoned" if self.reason else "unused"


@dataclass(frozen=True)
class Denial:
    """A request of a role that was denied."""

    role: str
    action: str
    resource: str
    reason: str


def rows(permissions: Iterable[Permission], uses: Counter[Permission], reasons: Reasons) -> list[Row]:
    """Return a row for each permission."""
    return [Row(p, uses[p], reasons.of(p)) for p in permissions]


def uses(documents: list[Document], decisions: Iterable[Decision]) -> Counter[Permission]:
    """Return the number of decisions that each permission allowed."""
    held: dict[tuple[str, str, str], list[Permission]] = {}
    for document in documents:
        for permission in document.permissions():
            for role in document.roles:
                held.setdefault((role, permission.sid, permission.action.lower()), []).append(permission)
    found: Counter[Permission] = Counter()
    for decision in decisions:
        if decision.allowed:
            for sid in decision.statements:
                for permission in held.get((decision.principal, sid, decision.action.lower()), ()):
                    found[permission] += matches(permission.resource, decision.resource)
    return found


def denials(documents: list[Document], decisions: Iterable[Decision]) -> list[Denial]:
    """Return the distinct requests that the roles of these policies were denied."""
    ours = {role for document in documents for role in document.roles}
    found = {
        Denial(d.principal.rpartition("/")[2], d.action, d.resource, d.reason)
        for d in decisions
        if not d.allowed and d.principal in ours
    }
    return sorted(found, key=lambda d: (d.role, d.action, d.resource))


def problems(rows: list[Row], reasons: Reasons) -> list[str]:
    """Return a sentence for each unused permission without a reason and for each reason that is not needed."""
    found = [
        f"{name(row.permission)} was not used: remove it, or give a reason in {reasons.file}"
        for row in rows
        if row.state == "unused"
    ]
    found += [
        f"{name(row.permission)} was used, but {reasons.file} has a reason for not using it: remove the reason"
        for row in rows
        if row.uses and row.reason
    ]
    found += [
        f"{reasons.file} has a reason for {key}, which is in no policy: remove the reason"
        for key in reasons.unneeded([row.permission for row in rows])
    ]
    return found


def name(permission: Permission) -> str:
    """Return a permission as one line."""
    return f"{permission.document}/{permission.sid}: {permission.action} on {permission.resource}"


def matches(pattern: str, value: str) -> bool:
    """Return whether an ARN matches a pattern with the wildcards * and ?."""
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern))
