"""Composite alarms: rules over the states of other alarms, evaluated when one of those states changes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm

from embedded_aws.services.cloudwatch.data import iso

MAX_CHILDREN = 100
MAX_ELEMENTS = 500
TOKEN = re.compile(
    r'\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^()"\s][^()"]*?))\s*\)'
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))",
    re.IGNORECASE,
)
# True, False, (state, alarm name), ("NOT", rule), ("AND", rule, rule) or ("OR", rule, rule)
Rule = Any


def parse(text: str) -> Rule:
    """Parse an AlarmRule. NOT binds closest, then AND. Raises ValidationError."""
    tokens = _tokens(text)
    if not tokens or len(tokens) > MAX_ELEMENTS:
        raise ValidationError(f"AlarmRule must have 1 to {MAX_ELEMENTS} elements, not {len(tokens)}.")
    place = 0

    def accept(*wanted: str) -> bool:
        nonlocal place
        found = place < len(tokens) and tokens[place] in wanted
        place += found
        return found

    def chain(operator: str, operand: Callable[[], Rule]) -> Rule:
        rule = operand()
        while accept(operator):
            rule = (operator, rule, operand())
        return rule

    def either() -> Rule:
        return chain("OR", both)

    def both() -> Rule:
        return chain("AND", single)

    def single() -> Rule:
        nonlocal place
        if accept("NOT"):
            return ("NOT", single())
        if accept("("):
            rule = either()
            if not accept(")"):
                raise _invalid(text, "a parenthesis is not closed")
            return rule
        if accept("TRUE", "FALSE"):
            return tokens[place - 1] == "TRUE"
        if place < len(tokens) and isinstance(tokens[place], tuple):
            place += 1
            return tokens[place - 1]
        raise _invalid(text, "an ALARM(), OK() or INSUFFICIENT_DATA() is missing")

    rule = either()
    if place < len(tokens):
        raise _invalid(text, f"{tokens[place]} is not expected here")
    return rule


def _tokens(text: str) -> list[Any]:
    tokens: list[Any] = []
    place = 0
    while text[place:].strip():
        token = TOKEN.match(text, place)
        if token is None:
            raise _invalid(text, f"syntax error at '{text[place:].strip()[:40]}'")
        if token["state"]:
            tokens.append((token["state"].upper(), _name(token["quoted"] or token["plain"])))
        else:
            tokens.append((token["word"] or token["bracket"]).upper())
        place = token.end()
    return tokens


def _invalid(text: str, reason: str) -> ValidationError:
    return ValidationError(f"Invalid AlarmRule '{text[:200]}': {reason}.")


def _name(name_or_arn: str) -> str:
    return name_or_arn.split(":alarm:", 1)[1] if name_or_arn.startswith("arn:") else name_or_arn


def children(rule: Rule) -> Iterator[str]:
    """Yield the names of the alarms in a rule, in order and with repetitions."""
    if isinstance(rule, tuple):
        if rule[0] in ("NOT", "AND", "OR"):
            for part in rule[1:]:
                yield from children(part)
        else:
            yield rule[1]


def holds(rule: Rule, states: Callable[[str], str]) -> bool:
    """Return whether a rule is true. states: returns the state of an alarm by its name."""
    if isinstance(rule, bool):
        return rule
    kind = rule[0]
    if kind == "NOT":
        return not holds(rule[1], states)
    if kind == "AND":
        return holds(rule[1], states) and holds(rule[2], states)
    if kind == "OR":
        return holds(rule[1], states) or holds(rule[2], states)
    return bool(states(rule[1]) == kind)


def check(backend: Any, name: str, text: str) -> None:
    """Raise ValidationError for a rule that cannot be saved."""
    named = list(dict.fromkeys(children(parse(text))))
    if len(named) > MAX_CHILDREN:
        raise ValidationError(f"AlarmRule can specify at most {MAX_CHILDREN} alarms, not {len(named)}.")
    if missing := [child for child in named if child not in backend.alarms]:
        raise ValidationError(
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist"
        )
    if name in named:
        raise ValidationError(f"The composite alarm {name} cannot be in its own alarm rule.")


def check_deletion(backend: Any, names: list[str]) -> None:
    """Raise ValidationError if a composite alarm depends on one of the alarms, or for two composite alarms."""
    if sum(name in backend.alarms and backend.alarms[name].rule is not None for name in names) > 1:
        raise ValidationError("At most one composite alarm can be deleted in a request.")
    needed = [name for name in names if list(parents(backend, name))]
    if needed:
        them = "it" if len(needed) == 1 else "them"
        raise ValidationError(
            f"Cannot delete {','.join(needed)} as there are composite alarm(s) depending on {them}."
        )


def parents(backend: Any, name: str) -> Iterator[Alarm]:
    """Yield the composite alarms that have an alarm in their rule."""
    for alarm in list(backend.alarms.values()):
        if alarm.rule is not None and name in children(parse(alarm.rule)):
            yield alarm


def evaluate(backend: Any, alarm: Alarm, reason: str, above: frozenset[str] = frozenset()) -> None:
    """Evaluate a composite alarm, and run the actions if its state changes.

    reason: StateReason; "{state}" in it is replaced by the state. above: names of the alarms whose change led here.
    """
    with backend.changing_composites:
        rule = parse(alarm.rule or "FALSE")
        known = {child: backend.alarms[child] for child in children(rule) if child in backend.alarms}
        state = (
            "ALARM" if holds(rule, lambda name: known[name].state_value if name in known else "") else "OK"
        )
        if state == alarm.state_value:
            return
        before = alarm.state_value
        data = {"triggeringAlarms": [_child(child) for child in triggering(known.values(), state)]}
        alarm.update_state(reason.replace("{state}", state), json.dumps(data), state)
        backend.changed_state(alarm, before, above)


def follow(backend: Any, changed: Alarm, above: frozenset[str]) -> None:
    """Evaluate the composite alarms that depend on an alarm whose state has changed.

    above: names of alarms not to evaluate again, so that a cycle ends.
    """
    moment = time.strftime("%A %d %B, %Y %H:%M:%S UTC", time.gmtime())
    for parent in parents(backend, changed.name):
        if parent.name not in above:
            reason = f"{changed.alarm_arn} transitioned to {changed.state_value} at {moment}"
            evaluate(backend, parent, reason, above | {changed.name})


def triggering(alarms: Any, state: str) -> list[Alarm]:
    """Return the children in ALARM if the composite alarm's state is ALARM, else all children."""
    return [alarm for alarm in alarms if state != "ALARM" or alarm.state_value == "ALARM"]


def _child(alarm: Alarm) -> dict[str, Any]:
    return {
        "arn": alarm.alarm_arn,
        "state": {"value": alarm.state_value, "timestamp": iso(alarm.state_updated_timestamp)},
    }
