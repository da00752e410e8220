"""Holds requests against AWS's API models: required members, enumerations, patterns, lengths and ranges.

The checks of an operation are compiled once, from botocore's model, into functions that skip members without rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from botocore.model import Shape
from moto.core.utils import get_service_model

from embedded_aws.validation.exemptions import is_exempt
from embedded_aws.validation.patterns import compiled


@dataclass(frozen=True)
class Violation:
    """A constraint of the model that a request does not satisfy.

    path: names of members, numbers of list items and keys of maps, from the outermost.
    rule: "required", "enum", "pattern", "length", "range" or "union".
    constraint: in AWS's words, e.g. "Member must not be null".
    """

    path: tuple[str, ...]
    value: Any
    rule: str
    constraint: str

    def below(self, *names: str) -> Violation:
        return replace(self, path=(*names, *self.path))


Violations = tuple[Violation, ...]
Check = Callable[[Any], Violations]
_NULL = (Violation((), None, "required", "Member must not be null"),)


def violations(service: str, operation: str, parameters: Mapping[str, Any]) -> Violations:
    """Return what a request violates of its operation's model, outermost members first."""
    check = _check_of(service, operation)
    return check(parameters) if check is not None else ()


@cache
def _check_of(service: str, operation: str) -> Check | None:
    shape = get_service_model(service).operation_model(operation).input_shape
    return _Compiler(service).compile(shape) if shape is not None else None


class _Compiler:
    """Compiles the shapes of one operation. Shapes can contain themselves."""

    def __init__(self, service: str):
        self._service = service
        self._done: dict[str, Check | None] = {}
        self._open: set[str] = set()

    def compile(self, shape: Shape) -> Check | None:
        if shape.type_name in ("structure", "list", "map"):
            name = shape.name
            if name in self._done:
                return self._done[name]
            if name in self._open:
                return lambda value: (self._done[name] or _nothing)(value)
            self._open.add(name)
            self._done[name] = getattr(self, f"_{shape.type_name}")(shape)
            return self._done[name]
        return self._scalar(shape)

    def _structure(self, shape: Any) -> Check | None:
        required = tuple(m for m in shape.required_members if not is_exempt(self._service, shape.name, m))
        inner = {name: check for name, member in shape.members.items() if (check := self.compile(member))}
        union = bool(shape.is_tagged_union)
        if not (required or inner or union):
            return None

        def check(value: Any) -> Violations:
            found: Violations = ()
            for name in required:
                if value.get(name) is None:
                    found += (Violation((name,), None, "required", "Member must not be null"),)
            if union and sum(item is not None for item in value.values()) != 1:
                found += (Violation((), value, "union", "Member must have exactly one member set"),)
            for name, item in value.items():
                if item is not None and (test := inner.get(name)) is not None and (bad := test(item)):
                    found += tuple(violation.below(name) for violation in bad)
            return found

        return check

    def _list(self, shape: Any) -> Check | None:
        inner, length = self.compile(shape.member), self._length(shape)
        if inner is None and length is None:
            return None

        def check(value: Any) -> Violations:
            found = length(value) if length is not None else ()
            if inner is not None:
                for number, item in enumerate(value, 1):
                    if bad := _NULL if item is None else inner(item):
                        found += tuple(v.below(str(number), "member") for v in bad)
            return found

        return check

    def _map(self, shape: Any) -> Check | None:
        of_key, of_value, length = self.compile(shape.key), self.compile(shape.value), self._length(shape)
        if of_key is None and of_value is None and length is None:
            return None

        def check(value: Any) -> Violations:
            found = length(value) if length is not None else ()
            for key, item in value.items():
                if of_key is not None and (bad := of_key(key)):
                    found += tuple(v.below("key") for v in bad)
                if of_value is not None and item is not None and (bad := of_value(item)):
                    found += tuple(v.below(key, "member") for v in bad)
            return found

        return check

    def _scalar(self, shape: Any) -> Check | None:
        if shape.type_name == "string":
            return self._string(shape)
        if shape.type_name in ("integer", "long", "float", "double", "short", "byte"):
            return self._range(shape)
        if shape.type_name == "blob" and not shape.serialization.get("streaming"):
            return self._length(shape)
        return None

    def _string(self, shape: Any) -> Check | None:
        parts = [p for p in (self._enum(shape), self._pattern(shape), self._length(shape)) if p is not None]
        if len(parts) < 2:
            return parts[0] if parts else None

        def check(value: Any) -> Violations:
            found: Violations = ()
            for part in parts:
                if bad := part(value):
                    found += bad
            return found

        return check

    def _enum(self, shape: Any) -> Check | None:
        values = shape.metadata.get("enum")
        if not values or is_exempt(self._service, shape.name, "enum"):
            return None
        known = frozenset(values)
        constraint = f"Member must satisfy enum value set: [{', '.join(values)}]"
        return lambda value: () if value in known else (Violation((), value, "enum", constraint),)

    def _pattern(self, shape: Any) -> Check | None:
        rule = shape.metadata.get("pattern")
        pattern = compiled(rule) if rule and not is_exempt(self._service, shape.name, "pattern") else None
        if pattern is None:
            return None
        matches: Callable[[str], re.Match[str] | None] = pattern.fullmatch
        constraint = f"Member must satisfy regular expression pattern: {rule}"
        return lambda value: () if matches(value) else (Violation((), value, "pattern", constraint),)

    def _length(self, shape: Any) -> Check | None:
        return self._bounds(shape, "length", "Member must have length {} than or equal to {}", len)

    def _range(self, shape: Any) -> Check | None:
        return self._bounds(
            shape, "range", "Member must have value {} than or equal to {}", lambda value: value
        )

    def _bounds(self, shape: Any, rule: str, words: str, measure: Callable[[Any], float]) -> Check | None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is None and high is None) or is_exempt(self._service, shape.name, rule):
            return None
        least = float("-inf") if low is None else low
        most = float("inf") if high is None else high

        def check(value: Any) -> Violations:
            size = measure(value)
            if least <= size <= most:
                return ()
            side, bound = ("greater", low) if size < least else ("less", high)
            return (Violation((), value, rule, words.format(side, bound)),)

        return check


def _nothing(value: Any) -> Violations:
    return ()
