"""Grammar of IAM's policy language: finds the first problem of a policy document.

Reference: "Grammar of the IAM JSON policy language" and "IAM JSON policy elements reference" in the IAM user guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedded_aws.iam import conditions

VERSIONS = ("2008-10-17", "2012-10-17")
_TOP = {"Version", "Id", "Statement"}
_STATEMENT = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[a-zA-Z0-9.-]+")
_ACTION_NAME = re.compile(r"[A-Za-z0-9*?_-]+")
_CONDITION_KEY = re.compile(r"[A-Za-z0-9.*-]+:[^\s]+")
_ARN = re.compile(r"(arn|\*):(aws[a-z-]*|\*):([^:]*):([^:]*):([^:]*):(.+)", re.DOTALL)
_PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """What a kind of policy demands.

    principal, resource: "required", "forbidden" or "optional".
    sid: pattern of statement IDs.
    current: the version must be the current one.
    """

    principal: str
    resource: str
    sid: re.Pattern[str] = re.compile(r".*", re.DOTALL)
    current: bool = False


IDENTITY = Kind("forbidden", "required", _SID, current=True)
TRUST = Kind("required", "forbidden", _SID)
RESOURCE = Kind("required", "required")
RESOURCE_ITSELF = Kind("required", "optional")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a policy.

    kind: "json", "field", "syntax", "version", "statement", "sid", "effect", "action", "vendor", "resource", "arn",
    "condition", "principal" or "missing".
    detail: the name or value that is wrong.
    """

    kind: str
    detail: str = ""


class _Found(Exception):
    def __init__(self, kind: str, detail: object = ""):
        super().__init__(kind)
        self.problem = Problem(kind, str(detail))


def problem_of(document: str, kind: Kind) -> Problem | None:
    """Return the first problem of a policy document, or None."""
    try:
        policy = _parsed(document)
        _check_top(policy, kind)
        sids = [_check_statement(statement, kind) for statement in statements_of(policy)]
        repeated = [sid for sid in sids if sid and sids.count(sid) > 1]
        if repeated:
            raise _Found("repeated sid", repeated[0])
    except _Found as found:
        return found.problem
    return None


def statements_of(policy: Json) -> list[Json]:
    """Return the statements of a policy, which may be a single one."""
    statements = policy.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def texts_of(value: Any) -> list[str]:
    """Return a string, or a list of strings, as a list."""
    return value if isinstance(value, list) else [value]


def _parsed(document: str) -> Json:
    def unique(pairs: list[tuple[str, Any]]) -> Json:
        if len({name for name, _ in pairs}) < len(pairs):
            raise _Found("json", "duplicate keys")
        return dict(pairs)

    try:
        policy = json.loads(document, object_pairs_hook=unique)
    except ValueError as error:
        raise _Found("json", error) from None
    if not isinstance(policy, dict):
        raise _Found("json", "not an object")
    return policy


def _check_top(policy: Json, kind: Kind) -> None:
    for name in policy:
        if name not in _TOP:
            raise _Found("field", name)
    version = policy.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        raise _Found("version", version)
    if not isinstance(policy.get("Id", ""), str):
        raise _Found("syntax", "Id")
    if not isinstance(policy.get("Statement"), (dict, list)) or not policy["Statement"]:
        raise _Found("missing", "Statement")
    if kind.current and version != VERSIONS[1]:
        raise _Found("old version", version)


def _check_statement(statement: Any, kind: Kind) -> str:
    """Check a statement and return its Sid."""
    if not isinstance(statement, dict):
        raise _Found("syntax", "Statement")
    for name in statement:
        if name not in _STATEMENT:
            raise _Found("field", name)
    for name in ("Principal", "Action", "Resource"):
        if name in statement and f"Not{name}" in statement:
            raise _Found("syntax", f"Not{name}")
    effect = statement.get("Effect")
    if effect is None:
        raise _Found("missing", "Effect")
    if effect not in ("Allow", "Deny"):
        raise _Found("effect", effect)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        raise _Found("syntax", "Sid")
    if not kind.sid.fullmatch(sid):
        raise _Found("sid", sid)
    _check_principal(statement, kind)
    for action in _required(statement, "Action", "required"):
        _check_action(action)
    for resource in _required(statement, "Resource", kind.resource):
        if resource != "*" and not _ARN.fullmatch(resource):
            raise _Found("arn", resource)
    _check_conditions(statement.get("Condition", {}))
    return sid


def _required(statement: Json, name: str, presence: str) -> Iterator[str]:
    """Yield the texts of an element or of its negation."""
    used = next((n for n in (name, f"Not{name}") if n in statement), None)
    if used is None or statement[used] == []:
        if presence == "required":
            raise _Found("missing", name)
        return
    if presence == "forbidden":
        raise _Found("prohibited", used)
    for text in texts_of(statement[used]):
        if not isinstance(text, str):
            raise _Found("syntax", used)
        yield text


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise _Found("no vendor", action)
    if ":" in name:
        raise _Found("colons", action)
    if not _VENDOR.fullmatch(vendor):
        raise _Found("vendor", vendor)
    if not _ACTION_NAME.fullmatch(name):
        raise _Found("action", action)


def _check_principal(statement: Json, kind: Kind) -> None:
    used = next((name for name in ("Principal", "NotPrincipal") if name in statement), None)
    if used is None:
        if kind.principal == "required":
            raise _Found("missing", "Principal")
        return
    if kind.principal == "forbidden":
        raise _Found("prohibited", used)
    principal = statement[used]
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _Found("principal", json.dumps(principal))
    for name, value in principal.items():
        if name not in _PRINCIPALS:
            raise _Found("principal", f'"{name.upper()}":{json.dumps(value)}')
        if not value or not all(isinstance(text, str) for text in texts_of(value)):
            raise _Found("principal", f'"{name.upper()}":{json.dumps(value)}')


def _check_conditions(element: Any) -> None:
    if not isinstance(element, dict):
        raise _Found("syntax", "Condition")
    for name, keys in element.items():
        if not isinstance(keys, dict):
            raise _Found("syntax", "Condition")
        try:
            conditions.parse({name: {}})
        except ValueError:
            raise _Found("condition", name) from None
        operator = name.rpartition(":")[2].removesuffix("IfExists")
        if operator == "Null" and operator != name.rpartition(":")[2]:
            raise _Found("condition", name)
        for key, wanted in keys.items():
            if not _CONDITION_KEY.fullmatch(key):
                raise _Found("no vendor", key)
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if not isinstance(value, (str, int, float, bool)):
                    raise _Found("syntax", key)
                if not _readable(operator, str(value)):
                    raise _Found("condition value", value)


def _readable(operator: str, value: str) -> bool:
    """Report whether a condition's value has the type of its operator. Variables are replaced later."""
    reader = next((read for prefix, read in _READERS.items() if operator.startswith(prefix)), None)
    if reader is None or "${" in value:
        return True
    try:
        reader(value)
    except ValueError:
        return False
    return True


def _date(text: str) -> None:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        datetime.fromisoformat(text.replace("Z", "+00:00"))


_READERS: dict[str, Callable[[str], object]] = {"Date": _date, "Numeric": float}
