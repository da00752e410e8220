"""Rules of EventBridge."""

from __future__ import annotations

import json
from typing import Any

from moto.events.models import events_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.references import role_exists
from embedded_aws.validation.table import Rule, pattern

API = "Amazon EventBridge API Reference, "
GUIDE = "Amazon EventBridge User Guide, "
MATCHES = {
    *("prefix", "suffix", "anything-but", "numeric", "cidr", "exists", "equals-ignore-case", "wildcard"),
}
MAX_TARGETS = 5
_SCHEDULE = r"rate\((1 (minute|hour|day)|(?!0|1 )[0-9]+ (minutes|hours|days))\)|cron\(.+\)"


def _pattern(call: Call) -> str | None:
    text = call.parameter("EventPattern")
    if not text:
        return None
    try:
        wanted = json.loads(text)
    except ValueError:
        return "Event pattern is not valid. Reason: Invalid JSON"
    if not isinstance(wanted, dict):
        return "Event pattern is not valid. Reason: Filter is not an object"
    if not wanted:
        return "Event pattern is not valid. Reason: Empty objects are not allowed"
    problem = _mistake(wanted)
    return f"Event pattern is not valid. Reason: {problem}" if problem else None


def _mistake(wanted: dict[str, Any]) -> str | None:
    for name, value in wanted.items():
        if isinstance(value, dict):
            problem = _mistake(value) if value else "Empty objects are not allowed"
        elif not isinstance(value, list):
            problem = f"'{name}' must be an object or an array"
        elif not value:
            problem = "Empty arrays are not allowed"
        elif name == "$or":
            problem = next((p for part in value if isinstance(part, dict) and (p := _mistake(part))), None)
        else:
            unknown = (m for match in value if isinstance(match, dict) for m in match if m not in MATCHES)
            problem = next((f"Unrecognized match type {match}" for match in unknown), None)
        if problem:
            return problem
    return None


def _role(call: Call) -> str | None:
    role = call.parameter("RoleArn")
    if role is None or role_exists(role):
        return None
    return f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'."


def _target_roles(call: Call) -> str | None:
    roles = [target["RoleArn"] for target in call.parameters["Targets"] if target.get("RoleArn")]
    missing = [role for role in roles if not role_exists(role)]
    return (
        f"Provided role '{missing[0]}' cannot be assumed by principal 'events.amazonaws.com'."
        if missing
        else None
    )


def _too_many_targets(call: Call) -> str | None:
    buses = events_backends[ACCOUNT_ID][call.region].event_buses
    bus = buses.get((call.parameter("EventBusName") or "default").rpartition("/")[2])
    rule = bus.rules.get(call.parameters["Rule"]) if bus is not None else None
    present = {target["Id"] for target in rule.targets} if rule is not None else set()
    if len(present | {target["Id"] for target in call.parameters["Targets"]}) <= MAX_TARGETS:
        return None
    return "The requested resource exceeds the maximum number allowed."


def _repeated_targets(call: Call) -> str | None:
    names = [target["Id"] for target in call.parameters["Targets"]]
    repeated = [name for name in names if names.count(name) > 1]
    return f"Duplicate target ID {repeated[0]} in Targets." if repeated else None


RULES: tuple[Rule, ...] = (
    Rule(
        ("PutRule",),
        pattern("ScheduleExpression", rf"{_SCHEDULE}|", "Parameter ScheduleExpression is not valid."),
        "ValidationException",
        GUIDE + "Creating a rule that runs on a schedule: rate expressions",
    ),
    Rule(
        ("PutRule",),
        _pattern,
        "InvalidEventPatternException",
        GUIDE + "Comparison operators for use in event patterns",
    ),
    Rule(("PutRule",), _role, "ValidationException", API + "PutRule"),
    Rule(("PutTargets",), _repeated_targets, "ValidationException", API + "PutTargets"),
    Rule(("PutTargets",), _target_roles, "ValidationException", API + "PutTargets"),
    Rule(("PutTargets",), _too_many_targets, "LimitExceededException", GUIDE + "Amazon EventBridge quotas"),
)
