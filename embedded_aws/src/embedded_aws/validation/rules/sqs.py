"""Rules of SQS."""

from __future__ import annotations

import json
import re
from typing import Any

from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import resource_policy
from embedded_aws.validation.references import key_exists
from embedded_aws.validation.table import Rule

API = "Amazon SQS API Reference, "
RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
# Characters of XML 1.0: the only ones in a message.
_TEXT = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def _attributes(call: Call) -> dict[str, Any]:
    return dict(call.parameter("Attributes") or {})


def _number(call: Call) -> str | None:
    for name, (low, high) in RANGES.items():
        value = _attributes(call).get(name)
        if value is not None and not (re.fullmatch(r"\d{1,9}", value) and low <= int(value) <= high):
            return f"Invalid value for the parameter {name}."
    return None


def _policy(call: Call) -> str | None:
    policy = _attributes(call).get("Policy")
    return "Invalid value for the parameter Policy." if policy and resource_policy(policy, "sqs") else None


def _redrive(call: Call) -> str | None:
    text = _attributes(call).get("RedrivePolicy")
    if not text:
        return None
    try:
        policy = json.loads(text)
        valid = isinstance(policy["deadLetterTargetArn"], str) and 1 <= int(policy["maxReceiveCount"]) <= 1000
    except (ValueError, KeyError, TypeError):
        valid = False
    return None if valid else f"Value {text} for parameter RedrivePolicy is invalid. Reason: Invalid value."


def _key(call: Call) -> str | None:
    key = _attributes(call).get("KmsMasterKeyId")
    return (
        f"Invalid value for the parameter KmsMasterKeyId: {key}."
        if key and not key_exists(key, call.region)
        else None
    )


def _message(call: Call) -> str | None:
    return None if call.parameters["MessageBody"] else "The request must contain the parameter MessageBody."


def _characters(call: Call) -> str | None:
    if _TEXT.fullmatch(call.parameters["MessageBody"]):
        return None
    return "Invalid characters found. Valid characters are '#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD'."


_SETTING = ("CreateQueue", "SetQueueAttributes")

RULES: tuple[Rule, ...] = (
    Rule(
        _SETTING,
        _number,
        "InvalidAttributeValue",
        API + "SetQueueAttributes",
        query_code="InvalidAttributeValue",
    ),
    Rule(
        _SETTING,
        _policy,
        "InvalidAttributeValue",
        API + "SetQueueAttributes: Policy",
        query_code="InvalidAttributeValue",
    ),
    Rule(
        _SETTING,
        _redrive,
        "InvalidParameterValue",
        API + "SetQueueAttributes: RedrivePolicy",
        query_code="InvalidParameterValue",
    ),
    Rule(
        _SETTING,
        _key,
        "InvalidAttributeValue",
        API + "SetQueueAttributes: KmsMasterKeyId",
        query_code="InvalidAttributeValue",
    ),
    Rule(
        ("SendMessage",),
        _message,
        "MissingParameter",
        API + "SendMessage: MessageBody",
        query_code="MissingParameter",
    ),
    Rule(
        ("SendMessage",),
        _characters,
        "InvalidMessageContents",
        API + "SendMessage: MessageBody",
        query_code="InvalidMessageContents",
    ),
)
