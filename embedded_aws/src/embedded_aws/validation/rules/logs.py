"""Rules of CloudWatch Logs."""

from __future__ import annotations

import json

from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import resource_policy
from embedded_aws.validation.references import key_exists
from embedded_aws.validation.table import Rule, one_of, pattern

API = "Amazon CloudWatch Logs API Reference, "
RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_RETENTION = (
    "1 validation error detected: Value '{value}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy "
    f"enum value set: {json.dumps(RETENTION)}"
)
DAY = 86_400_000  # milliseconds
_BRACKETS = {"[": "]", "{": "}"}


def _key(call: Call) -> str | None:
    name = call.parameter("kmsKeyId")
    if name is None or (name.startswith("arn:") and key_exists(name, call.region)):
        return None
    return f"The specified KMS Key Id {name} does not exist, is disabled, or is not an ARN."


def _filter(call: Call) -> str | None:
    text = (call.parameter("filterPattern") or "").strip()
    closing = _BRACKETS.get(text[:1])
    balanced = all(text.count(left) == text.count(right) for left, right in (*_BRACKETS.items(), ("(", ")")))
    if (closing is None or text.endswith(closing)) and (closing is None or balanced):
        return None
    return "Invalid metric filter pattern"


def _policy(call: Call) -> str | None:
    return resource_policy(call.parameter("policyDocument") or "", "logs")


def _order(call: Call) -> str | None:
    times = [event["timestamp"] for event in call.parameters["logEvents"]]
    if times != sorted(times):
        return "Log events in a single PutLogEvents request must be in chronological order."
    if times[-1] - times[0] > DAY:
        return "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    return None


RULES: tuple[Rule, ...] = (
    Rule(
        ("CreateLogGroup",),
        pattern("logGroupName", r"(?!aws/).+", "Log groups starting with AWS/ are reserved for AWS."),
        "InvalidParameterException",
        API + "CreateLogGroup",
    ),
    Rule(
        ("PutRetentionPolicy",),
        one_of("retentionInDays", RETENTION, _RETENTION),
        "InvalidParameterException",
        API + "PutRetentionPolicy",
    ),
    Rule(("CreateLogGroup", "AssociateKmsKey"), _key, "InvalidParameterException", API + "AssociateKmsKey"),
    Rule(
        ("PutMetricFilter", "PutSubscriptionFilter", "FilterLogEvents", "TestMetricFilter"),
        _filter,
        "InvalidParameterException",
        "Amazon CloudWatch Logs User Guide, Filter pattern syntax",
    ),
    Rule(("PutLogEvents",), _order, "InvalidParameterException", API + "PutLogEvents"),
    Rule(("PutResourcePolicy",), _policy, "InvalidParameterException", API + "PutResourcePolicy"),
)
