"""Rules of Systems Manager's parameters."""

from __future__ import annotations

import re
from typing import Any

from moto.ssm.models import ssm_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.references import key_exists
from embedded_aws.validation.table import Rule, Test, pattern

API = "AWS Systems Manager API Reference, "
GUIDE = "AWS Systems Manager User Guide, Creating Parameter Store parameters"
_NAME = (
    "Parameter name must only contain letters, numbers and the symbols . - _ and / as separator, not {value}."
)
_PATH = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the '
    "following symbols: . (period), - (hyphen), _ (underscore)."
)
SIZES = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}
MAX_NAME, MAX_LEVELS = 1011, 15


def _stored(call: Call) -> Any:
    name, parameters = call.parameters["Name"], ssm_backends[ACCOUNT_ID][call.region]._parameters
    return parameters[name][-1] if name in parameters else None


def _levels(call: Call) -> str | None:
    name = call.parameters["Name"]
    if "/" in name and not name.startswith("/"):
        return "Parameter name must be a fully qualified name."
    if name.count("/") > MAX_LEVELS:
        return f"The parameter name has {name.count('/')} levels. A hierarchy can have a maximum of {MAX_LEVELS} levels."
    return None


def _length(call: Call) -> str | None:
    name = call.parameters["Name"]
    return f"Parameter name is longer than {MAX_NAME} characters." if len(name) > MAX_NAME else None


def _size(call: Call) -> str | None:
    tier = call.parameter("Tier") or "Standard"
    if len(call.parameters["Value"].encode()) <= SIZES[tier]:
        return None
    return (
        f"{tier} tier parameters support a maximum parameter value of {SIZES[tier]} characters. To create a larger "
        "parameter value, upgrade the parameter to use the advanced-parameter tier."
    )


def _allowed(call: Call) -> str | None:
    allowed, value = call.parameter("AllowedPattern"), call.parameters["Value"]
    try:
        matches = not allowed or re.search(rf"^(?:{allowed})$", value) is not None
    except re.error:
        return f"Invalid allowed pattern: {allowed}"
    return None if matches else f"Parameter value, cannot be validated against allowedPattern: {allowed}"


def _type(call: Call) -> str | None:
    stored, wanted = _stored(call), call.parameter("Type")
    if stored is None or wanted in (None, stored.parameter_type) or not call.parameter("Overwrite"):
        return None
    return (
        "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a "
        "parameter from a String type to a SecureString type. You must create a new, unique parameter."
    )


def _key(call: Call) -> str | None:
    key = call.parameter("KeyId")
    if key is None or call.parameter("Type") not in ("SecureString", None):
        return None
    return None if key_exists(key, call.region) else f"Alias or key {key} is not found."


_PUT = ("PutParameter",)
_WELL_NAMED: Test = pattern("Name", r"(?!.*//)[a-zA-Z0-9_.\-/]*[a-zA-Z0-9_.\-]", _NAME)

RULES: tuple[Rule, ...] = (
    Rule(_PUT, _WELL_NAMED, "ValidationException", GUIDE),
    Rule(_PUT, _levels, "ValidationException", GUIDE),
    Rule(_PUT, _length, "ValidationException", GUIDE),
    Rule(_PUT, _size, "ValidationException", API + "PutParameter: Tier"),
    Rule(_PUT, _allowed, "ParameterPatternMismatchException", API + "PutParameter: AllowedPattern"),
    Rule(_PUT, _type, "HierarchyTypeMismatchException", API + "PutParameter: errors"),
    Rule(_PUT, _key, "InvalidKeyId", API + "PutParameter: errors"),
    Rule(
        ("GetParametersByPath",),
        pattern("Path", r"/[a-zA-Z0-9_.\-/]*", _PATH),
        "ValidationException",
        API + "GetParametersByPath",
    ),
)
