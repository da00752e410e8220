"""Rows of the tables of rules that AWS documents and botocore's models lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from embedded_aws.iam.request import Call

Test = Callable[[Call], "str | None"]
"""Returns what is wrong with a call, or None."""


@dataclass(frozen=True)
class Rule:
    """One documented rule.

    operations: names of the operations that it holds for.
    test: what is wrong with a call: the message of the error.
    code, status: the error.
    page: where AWS documents the rule.
    query_code: error code of the service's former query protocol.
    """

    operations: tuple[str, ...]
    test: Test
    code: str
    page: str
    status: int = 400
    query_code: str | None = None


def value_of(call: Call, path: str) -> Any:
    """Return a member, e.g. "Budget.BudgetName"; None if it is missing."""
    found: Any = call.parameters
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) or found is call.parameters else None
    return found


def pattern(path: str, rule: str, message: str) -> Test:
    """Return a test: a member, if given, must match a pattern. message: may contain {value}."""
    wanted = re.compile(rule, re.ASCII)

    def test(call: Call) -> str | None:
        value = value_of(call, path)
        return None if value is None or wanted.fullmatch(value) else message.replace("{value}", str(value))

    return test


def longest(path: str, limit: int, message: str) -> Test:
    """Return a test: a member has at most `limit` characters or items. message: may contain {value}."""

    def test(call: Call) -> str | None:
        value = value_of(call, path)
        return message.replace("{value}", str(value)) if value is not None and len(value) > limit else None

    return test


def between(path: str, low: float, high: float, message: str) -> Test:
    """Return a test: a number, if given, is in a range. message: may contain {value}."""

    def test(call: Call) -> str | None:
        value = value_of(call, path)
        return (
            message.replace("{value}", str(value)) if value is not None and not low <= value <= high else None
        )

    return test


def one_of(path: str, values: Collection[Any], message: str) -> Test:
    """Return a test: a member, if given, is one of some values. message: may contain {value}."""

    def test(call: Call) -> str | None:
        value = value_of(call, path)
        return message.replace("{value}", str(value)) if value is not None and value not in values else None

    return test
