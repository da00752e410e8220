"""Rules of Lambda that do not depend on a function. The others are in `services.lambda_`."""

from __future__ import annotations

import re

from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.principals import aws_exists, service_exists
from embedded_aws.validation.table import Rule

API = "AWS Lambda API Reference, "


def _principal(call: Call) -> str | None:
    name = call.parameters["Principal"]
    if name == "*" or service_exists(name) or aws_exists(name):
        return None
    return "The provided principal was invalid. Please check the principal and try again."


def _repeated_tags(call: Call) -> str | None:
    reserved = [key for key in call.parameter("Tags") or {} if key.lower().startswith("aws:")]
    return (
        f"aws: prefixed tag key names are not allowed for external use: {reserved[0]}" if reserved else None
    )


def _environment(call: Call) -> str | None:
    names = ((call.parameter("Environment") or {}).get("Variables") or {}).keys()
    wrong = [name for name in names if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name)]
    if not wrong:
        return None
    return (
        f"1 validation error detected: Value '{wrong[0]}' at 'environment.variables.key' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+"
    )


RULES: tuple[Rule, ...] = (
    Rule(("AddPermission",), _principal, "InvalidParameterValueException", API + "AddPermission: Principal"),
    Rule(
        ("CreateFunction", "TagResource"),
        _repeated_tags,
        "InvalidParameterValueException",
        API + "TagResource",
    ),
    Rule(
        ("CreateFunction", "UpdateFunctionConfiguration"),
        _environment,
        "InvalidParameterValueException",
        "AWS Lambda Developer Guide, Working with Lambda environment variables",
    ),
)
