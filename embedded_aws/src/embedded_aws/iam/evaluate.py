"""Policy evaluation: decides whether policies allow an action on a resource.

Reference: "Policy evaluation logic" in the IAM user guide, for one account.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import conditions
from embedded_aws.iam.attributes import TAGS_KNOWN
from embedded_aws.iam.conditions import Context, like
from embedded_aws.iam.principals import Principal

log = logging.getLogger("embedded_aws.iam")

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# Tags of most resources are not looked up: statements with conditions on them fail closed.
_TAG_KEYS = re.compile(r":(resourcetag|buckettag|existingobjecttag)/")


@dataclass(frozen=True)
class Decision:
    """The decision about one action on one resource."""

    allowed: bool
    reason: str
    """In AWS's words, as in AccessDenied messages."""

    statements: tuple[str, ...] = ()
    """Sids of the statements that allowed or denied it."""


@dataclass(frozen=True)
class Statement:
    """One parsed statement of a policy."""

    sid: str
    allow: bool
    actions: re.Pattern[str]
    not_action: bool
    resources: tuple[str, ...] | None  # None: trust policies name no resource
    not_resource: bool
    principals: dict[str, tuple[str, ...]] | None
    not_principal: bool
    conditions: tuple[conditions.Condition, ...] | None  # None: cannot be evaluated
    uses_tags: bool = False  # has conditions on tags of the resource

    def applies(self, action: str, resource: str, context: Context) -> bool:
        if (self.actions.fullmatch(action.lower()) is not None) == self.not_action:
            return False
        if self.resources is not None:
            named = any(like(pattern, resource, context) for pattern in self.resources)
            if named == self.not_resource:
                return False
        if self.conditions is None or (self.uses_tags and TAGS_KNOWN not in context):
            return not self.allow  # fail closed
        return all(condition.holds(context) for condition in self.conditions)


def _tuple(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _principals(element: Any) -> dict[str, tuple[str, ...]] | None:
    if element is None:
        return None
    return {"*": ("*",)} if element == "*" else {kind: _tuple(names) for kind, names in element.items()}


@lru_cache(maxsize=4096)
def parse(document: str) -> tuple[Statement, ...]:
    """Return the statements of a policy document. Raises ValueError if it is not a policy."""
    statements = json.loads(document).get("Statement", [])
    parsed = []
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = _tuple(statement.get("Action", statement.get("NotAction", [])) or [])
        pattern = "|".join(re.escape(a.lower()).replace(r"\*", ".*").replace(r"\?", ".") for a in actions)
        resources = statement.get("Resource", statement.get("NotResource"))
        try:
            tests = conditions.parse(statement.get("Condition") or {})
        except ValueError as error:
            log.warning("%s: the statement never allows and always denies", error)
            tests = None
        parsed.append(
            Statement(
                sid=statement.get("Sid", ""),
                allow=statement["Effect"] == "Allow",
                actions=re.compile(pattern or r"(?!)"),
                not_action="NotAction" in statement,
                resources=None if resources is None else _tuple(resources),
                not_resource="NotResource" in statement,
                principals=_principals(statement.get("Principal", statement.get("NotPrincipal"))),
                not_principal="NotPrincipal" in statement,
                conditions=tests,
                uses_tags=any(_TAG_KEYS.search(test.key) for test in tests or ()),
            )
        )
    return tuple(parsed)


def _names(statement: Statement, principal: Principal) -> str:
    """Return how a statement of a resource policy names a caller: "direct", "role", "account" or ""."""
    found = ""
    for kind, names in (statement.principals or {}).items():
        for name in names:
            if (name == "*" and kind in ("*", "AWS")) or (
                kind in ("Service", "Federated") and name == principal.arn
            ):
                found = "direct"
            elif kind == "AWS" and principal.kind != "Anonymous":
                if name == principal.arn:
                    found = "direct"
                elif name == principal.identity_arn:
                    found = found or "role"
                elif name in (ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root"):
                    found = "direct" if principal.kind == "Account" else found or "account"
    if statement.not_principal:
        return "" if found else "direct"
    return found


Verdict = tuple["bool | None", tuple[str, ...]]
"""Explicitly denied (False), allowed (True) or neither (None), and the Sids of the statements that decided."""


def identity(documents: Iterable[str], action: str, resource: str, context: Context) -> Verdict:
    """Return the verdict of identity-based policies."""
    allowing = []
    for document in documents:
        for statement in parse(document):
            if statement.applies(action, resource, context):
                if not statement.allow:
                    return False, (statement.sid,)
                allowing.append(statement.sid)
    return (True if allowing else None), tuple(allowing)


def resource_decision(
    document: str | None, principal: Principal, action: str, resource: str, context: Context
) -> tuple[bool, str, tuple[str, ...]]:
    """Return the verdict of a resource policy: (explicitly denied, how it allows, Sids).

    How it allows: "direct", "role", "account", or "" if it does not.
    """
    how, sids = "", []
    rank = ("", "account", "role", "direct")
    for statement in parse(document) if document else ():
        named = _names(statement, principal)
        if named and statement.applies(action, resource, context):
            if not statement.allow:
                return True, "", (statement.sid,)
            how = max(how, named, key=rank.index)
            sids.append(statement.sid)
    return False, how, tuple(sids)


def decide(
    principal: Principal,
    action: str,
    resource: str,
    context: Context,
    resource_policy: str | None = None,
    delegated: bool = True,
) -> Decision:
    """Decide one action on one resource.

    resource_policy: the policy of the resource as JSON, if it has one.
    delegated: whether identity-based policies suffice. False for KMS keys and roles: their own policy must name the
    caller or the account.
    """
    denied, how, sids = resource_decision(resource_policy, principal, action, resource, context)
    if denied:
        return Decision(False, "with an explicit deny in a resource-based policy", sids)
    if principal.kind == "Account":
        if delegated or how:
            return Decision(True, "account", sids)
        return Decision(False, f"because no resource-based policy allows the {action} action")
    if principal.kind in ("Anonymous", "AWSService", "FederatedUser"):
        if how == "direct":
            return Decision(True, "resource-based policy", sids)
        return Decision(False, f"because no resource-based policy allows the {action} action")

    by_identity, own_sids = identity(principal.documents(), action, resource, context)
    if by_identity is False:
        return Decision(False, "with an explicit deny in an identity-based policy", own_sids)
    limits = (
        ("permissions boundary", principal.boundary()),
        ("session policy", principal.session_policy),
    )
    for name, document in limits:
        if document is None:
            continue
        within, limiting = identity([document], action, resource, context)
        if within is False:
            return Decision(False, f"with an explicit deny in a {name}", limiting)
        if within is None and how != "direct":
            return Decision(False, f"because no {name} allows the {action} action")
    if how in ("direct", "role"):
        return Decision(True, "resource-based policy", sids)
    if by_identity and (delegated or how == "account"):
        return Decision(True, "identity-based policy", own_sids)
    kind = "resource-based" if by_identity else "identity-based"
    return Decision(False, f"because no {kind} policy allows the {action} action")


@lru_cache(maxsize=4096)
def keys_of(documents: tuple[str, ...]) -> frozenset[str]:
    """Return the condition keys, lower case, that policies use in conditions and variables."""
    found: set[str] = set()
    for document in documents:
        found |= {name.partition(",")[0].strip().lower() for name in _VARIABLE.findall(document)}
        for statement in parse(document):
            found |= {condition.key for condition in statement.conditions or ()}
            found |= {TAGS_KNOWN} if statement.uses_tags else set()
    return frozenset(found)
