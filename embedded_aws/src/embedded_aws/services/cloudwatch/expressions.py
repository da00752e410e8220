"""Metric math: + - * / comparisons, FILL, IF, SUM, MAX, MIN and AVG over time series."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.cloudwatch.exceptions import ValidationError

from embedded_aws.services.cloudwatch.data import Series

Value = Any  # a Series, a float, or a list of them (an array of time series)

OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
    ast.And: lambda a, b: float(bool(a) and bool(b)),
    ast.Or: lambda a, b: float(bool(a) or bool(b)),
}
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": sum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
}
FUNCTIONS = {*AGGREGATES, "FILL", "IF", "METRICS"}


def parse(expression: str) -> ast.expr:
    """Parse an expression. Raises ValidationError for a syntax error and for unsupported syntax."""
    text = re.sub(r"&&|\bAND\b", " and ", expression)
    text = re.sub(r"\|\||\bOR\b", " or ", text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise ValidationError(f"Error in expression '{expression}': it cannot be parsed.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else "?"
            if name not in FUNCTIONS or node.keywords:
                raise ValidationError(
                    f"Error in expression '{expression}': the embedded AWS does not support the function {name}: use "
                    f"{', '.join(sorted(FUNCTIONS))}."
                )
        elif isinstance(node, ast.Compare) and len(node.ops) > 1:
            raise ValidationError(f"Error in expression '{expression}': comparisons cannot be chained.")
        elif not isinstance(node, _ALLOWED):
            raise ValidationError(
                f"Error in expression '{expression}': the embedded AWS does not support {type(node).__name__}."
            )
    return tree


def names(tree: ast.expr) -> set[str]:
    """Return the identifiers of the queries that an expression uses."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found - FUNCTIONS - {"REPEAT"}


def uses_all_metrics(tree: ast.expr) -> bool:
    """Return whether an expression calls METRICS()."""
    return any(isinstance(node, ast.Name) and node.id == "METRICS" for node in ast.walk(tree))


def evaluate(
    tree: ast.expr, known: Mapping[str, Series], times: Sequence[float], metrics: Sequence[str]
) -> Value:
    """Return the value of an expression.

    known: results of the other queries by identifier. times: starts of all requested periods, oldest first, for
    FILL. metrics: identifiers of the queries without an expression, for METRICS().
    """

    def value(node: ast.expr) -> Value:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return dict(known[node.id])
        if isinstance(node, ast.List):
            return [value(item) for item in node.elts]
        if isinstance(node, ast.UnaryOp):
            return combine(operator.sub, 0.0, value(node.operand))
        if isinstance(node, ast.BinOp):
            return combine(OPERATORS[type(node.op)], value(node.left), value(node.right))
        if isinstance(node, ast.Compare):
            return combine(OPERATORS[type(node.ops[0])], value(node.left), value(node.comparators[0]))
        if isinstance(node, ast.BoolOp):
            result = value(node.values[0])
            for other in node.values[1:]:
                result = combine(OPERATORS[type(node.op)], result, value(other))
            return result
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        return call(node.func.id, node.args)

    def call(name: str, arguments: list[ast.expr]) -> Value:
        if name == "METRICS":
            return [dict(known[metric]) for metric in metrics]
        if name in AGGREGATES:
            _count(name, arguments, 1)
            return _aggregate(AGGREGATES[name], value(arguments[0]))
        if name == "FILL":
            _count(name, arguments, 2)
            filling = arguments[1]
            repeat = isinstance(filling, ast.Name) and filling.id == "REPEAT"
            return _fill(value(arguments[0]), None if repeat else value(filling), times)
        _count(name, arguments, 3)
        return _choose(value(arguments[0]), value(arguments[1]), value(arguments[2]))

    return value(tree)


_ALLOWED = (
    ast.Constant,
    ast.Name,
    ast.List,
    ast.Load,
    ast.BinOp,
    ast.UnaryOp,
    ast.USub,
    ast.BoolOp,
    ast.Compare,
    *OPERATORS,
)


def combine(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operation element by element, to the times that both series have. Division by zero leaves a gap."""
    if isinstance(left, list) or isinstance(right, list):
        pairs = (
            zip(left, right, strict=True)
            if isinstance(left, list) and isinstance(right, list)
            else [(item, right) for item in left]
            if isinstance(left, list)
            else [(left, item) for item in right]
        )
        return [combine(operation, a, b) for a, b in pairs]
    if not isinstance(left, dict) and not isinstance(right, dict):
        return operation(left, right)
    times = (
        left.keys() & right.keys()
        if isinstance(left, dict) and isinstance(right, dict)
        else (left if isinstance(left, dict) else right)
    )
    result: Series = {}
    for time in sorted(times):
        a = left[time] if isinstance(left, dict) else left
        b = right[time] if isinstance(right, dict) else right
        try:
            result[time] = operation(a, b)
        except ZeroDivisionError:
            continue
    return result


def _aggregate(function: Callable[[Sequence[float]], float], value: Value) -> Value:
    """Aggregate an array of series to a series, or one series to a number."""
    if isinstance(value, dict):
        return function(list(value.values())) if value else {}
    if not isinstance(value, list):
        return value
    times = sorted({time for item in value if isinstance(item, dict) for time in item})
    return {
        time: function([item[time] for item in value if isinstance(item, dict) and time in item])
        for time in times
    }


def _fill(value: Value, filling: Value | None, times: Sequence[float]) -> Value:
    """Fill the periods without a value. filling: None repeats the previous value."""
    if isinstance(value, list):
        return [_fill(item, filling, times) for item in value]
    if not isinstance(value, dict):
        return value
    result: Series = {}
    last = None
    for time in times:
        other = filling.get(time) if isinstance(filling, dict) else filling
        last = value.get(time, last if filling is None else other)
        if last is not None:
            result[time] = last
    return result


def _choose(condition: Value, yes: Value, no: Value) -> Value:
    def at(value: Value, time: float) -> float | None:
        return value.get(time) if isinstance(value, dict) else value

    if isinstance(condition, dict):
        chosen = {time: at(yes if condition[time] else no, time) for time in condition}
        return {time: value for time, value in chosen.items() if value is not None}
    return yes if condition else no


def _count(name: str, arguments: list[ast.expr], wanted: int) -> None:
    if len(arguments) != wanted:
        raise ValidationError(f"Error in expression: {name} takes {wanted} arguments, not {len(arguments)}.")
