"""Condition element of IAM policies: operators, wildcards, policy variables.

Reference: "IAM JSON policy elements: Condition operators" and "Policy variables" in the IAM user guide.
"""

from __future__ import annotations

import ipaddress
import logging
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

log = logging.getLogger("embedded_aws.iam")

Context = Mapping[str, "str | list[str]"]
"""Condition keys, lower case, with their values: a list for multivalued keys, no entry for absent keys."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@lru_cache(maxsize=16384)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(_glob_source(pattern), re.DOTALL)


def _glob_source(pattern: str) -> str:
    return "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)


def _variable(text: str, context: Context) -> str | None:
    name, _, default = (part.strip() for part in text.partition(","))
    if name in ("*", "?", "$"):
        return name
    value = context.get(name.lower())
    if value is None and default:
        return default.strip("'")
    return value if isinstance(value, str) else None


def fill(text: str, context: Context) -> str | None:
    """Return `text` with its policy variables replaced; None if one has no value."""
    if "${" not in text:
        return text
    parts = _VARIABLE.split(text)  # literal, variable, literal, ...
    values = [_variable(part, context) if i % 2 else part for i, part in enumerate(parts)]
    return None if None in values else "".join(values)  # type: ignore[arg-type]


def like(pattern: str, value: str, context: Context) -> bool:
    """Report whether `value` matches. * and ? are wildcards; variables are replaced and match literally."""
    if "${" not in pattern:
        return _glob(pattern).fullmatch(value) is not None
    parts = _VARIABLE.split(pattern)
    sources = []
    for i, part in enumerate(parts):
        text = _variable(part, context) if i % 2 else part
        if text is None:
            return False
        sources.append(re.escape(text) if i % 2 else _glob_source(text))
    return re.fullmatch("".join(sources), value, re.DOTALL) is not None


def _equals(want: str, have: str, context: Context) -> bool:
    return fill(want, context) == have


def _equals_ignoring_case(want: str, have: str, context: Context) -> bool:
    filled = fill(want, context)
    return filled is not None and filled.lower() == have.lower()


def _arn_like(want: str, have: str, context: Context) -> bool:
    """Match each of the six parts of an ARN on its own."""
    wanted, got = want.split(":", 5), have.split(":", 5)
    return len(wanted) == len(got) == 6 and all(like(w, g, context) for w, g in zip(wanted, got, strict=True))


def _bool(want: str, have: str, context: Context) -> bool:
    return want.lower() == have.lower()


def _ip(want: str, have: str, context: Context) -> bool:
    return ipaddress.ip_address(have) in ipaddress.ip_network(want, strict=False)


def _compare(convert: Callable[[str], Any], relation: Callable[[Any, Any], bool]) -> Operator:
    def test(want: str, have: str, context: Context) -> bool:
        filled = fill(want, context)
        return filled is not None and relation(convert(have), convert(filled))

    return test


def _date(text: str) -> datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text) and len(text) > 4:
        return datetime.fromtimestamp(float(text), timezone.utc)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


Operator = Callable[[str, str, Context], bool]

_OPERATORS: dict[str, Operator] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _bool,
    "BinaryEquals": _equals,
    "IpAddress": _ip,
}
for _prefix, _convert in (("Numeric", float), ("Date", _date)):
    _OPERATORS[f"{_prefix}Equals"] = _compare(_convert, operator.eq)
    _OPERATORS[f"{_prefix}LessThan"] = _compare(_convert, operator.lt)
    _OPERATORS[f"{_prefix}LessThanEquals"] = _compare(_convert, operator.le)
    _OPERATORS[f"{_prefix}GreaterThan"] = _compare(_convert, operator.gt)
    _OPERATORS[f"{_prefix}GreaterThanEquals"] = _compare(_convert, operator.ge)

_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}


@dataclass(frozen=True)
class Condition:
    """One key under one operator, e.g. {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": [...]}}."""

    test: Operator | None  # None for the Null operator
    negated: bool
    if_exists: bool
    qualifier: str  # "", "ForAllValues" or "ForAnyValue"
    key: str
    wanted: tuple[str, ...]

    def holds(self, context: Context) -> bool:
        have = context.get(self.key)
        if self.test is None:
            return (have is None) == (self.wanted[0].lower() == "true")
        if have is None:
            # Negated operators hold for an absent key; ForAnyValue never does.
            return self.if_exists or self.qualifier == "ForAllValues" or (self.negated and not self.qualifier)
        values = [have] if isinstance(have, str) else have
        if self.qualifier == "ForAllValues":
            return all(self._one(value, context) for value in values)
        if self.negated and not self.qualifier:
            return all(self._one(value, context) for value in values)
        return any(self._one(value, context) for value in values)

    def _one(self, value: str, context: Context) -> bool:
        assert self.test is not None
        try:
            matched = any(self.test(want, value, context) for want in self.wanted)
        except ValueError:  # not a number, date or address: matches nothing
            matched = False
        return matched != self.negated


def parse(element: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of a statement. Raises ValueError for unknown operators."""
    found = []
    for name, keys in element.items():
        qualifier, _, base = name.rpartition(":")
        if_exists = base.endswith("IfExists")
        base = base.removesuffix("IfExists")
        negated = base in _NEGATED
        test = _OPERATORS.get(_NEGATED.get(base, base))
        if (test is None and base != "Null") or qualifier not in ("", "ForAllValues", "ForAnyValue"):
            raise ValueError(f"unknown condition operator {name}")
        for key, wanted in keys.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            texts = tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
            found.append(Condition(test, negated, if_exists, qualifier, key.lower(), texts))
    return tuple(found)
