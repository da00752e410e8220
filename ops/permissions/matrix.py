"""Which permissions were used, how often, and why the others are there; and what was denied."""

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
    """A permission, how many distinct decisions it took part in, and why it is there if in none."""

    permission: Permission
    uses: int
    reason: str

    @property
    def state(self) -> str:
        """used, unused, or reasoned: not used here, for a reason on file."""
        return "used" if self.uses else "reasoned" if self.reason else "unused"


@dataclass(frozen=True)
class Denial:
    """What a role asked for and did not get."""

    role: str
    action: str
    resource: str
    reason: str


def rows(permissions: Iterable[Permission], uses: Counter[Permission], reasons: Reasons) -> list[Row]:
    """One row for each permission, in the order of the documents."""
    return [Row(p, uses[p], reasons.of(p)) for p in permissions]


def uses(documents: list[Document], decisions: Iterable[Decision]) -> Counter[Permission]:
    """How many decisions each permission took part in."""
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
    """What the documents' roles were denied, each once."""
    ours = {role for document in documents for role in document.roles}
    found = {
        Denial(d.principal.rpartition("/")[2], d.action, d.resource, d.reason)
        for d in decisions
        if not d.allowed and d.principal in ours
    }
    return sorted(found, key=lambda d: (d.role, d.action, d.resource))


def problems(rows: list[Row], reasons: Reasons) -> list[str]:
    """What is wrong with the permissions or the reasons, in words: unused without one, used in spite of one."""
    found = [
        f"{name(row.permission)} was never used: remove it, or say in {reasons.file} why it is there"
        for row in rows
        if row.state == "unused"
    ]
    found += [
        f"{name(row.permission)} was used, and {reasons.file} says why it is not: remove that reason"
        for row in rows
        if row.uses and row.reason
    ]
    found += [
        f"{reasons.file} gives a reason for {key}, which no policy has: remove it"
        for key in reasons.idle([row.permission for row in rows])
    ]
    return found


def name(permission: Permission) -> str:
    """A permission in one line."""
    return f"{permission.document}/{permission.sid}: {permission.action} on {permission.resource}"


def matches(pattern: str, value: str) -> bool:
    """Whether an ARN matches a policy's pattern, in which * and ? are wildcards."""
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern))
