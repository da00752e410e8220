"""Rules of SNS."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.sns.models import sns_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import resource_policy
from embedded_aws.validation.references import key_exists
from embedded_aws.validation.table import Rule, one_of, pattern

API = "Amazon SNS API Reference, "
_FEEDBACK = ("Application", "Firehose", "HTTP", "Lambda", "SQS")
TOPIC_ATTRIBUTES = {
    *("ArchivePolicy", "ContentBasedDeduplication", "DataProtectionPolicy", "DeliveryPolicy", "DisplayName"),
    *("FifoThroughputScope", "FifoTopic", "KmsMasterKeyId", "Policy", "SignatureVersion", "TracingConfig"),
    *(
        f"{name}{kind}Feedback{what}"
        for name in _FEEDBACK
        for kind, what in (("Success", "RoleArn"), ("Failure", "RoleArn"), ("Success", "SampleRate"))
    ),
}
PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
ENDPOINTS = {
    "http": r"http://.+",
    "https": r"https://.+",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "email-json": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "sms": r"\+?[0-9. -]{5,20}",
    "sqs": r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}(\.fifo)?",
    "lambda": r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w$-]+)?",
    "firehose": r"arn:aws:firehose:[a-z0-9-]+:\d{12}:deliverystream/.+",
    "application": r"arn:aws:sns:[a-z0-9-]+:\d{12}:endpoint/.+",
}
_WORDS = {
    "sqs": "SQS endpoint ARN",
    "lambda": "Lambda endpoint ARN",
    "email": "Email address",
    "http": "Unsupported endpoint",
}


def _attributes(call: Call) -> dict[str, Any]:
    """Return the attributes that a call sets."""
    if "AttributeName" in call.parameters:
        return {call.parameters["AttributeName"]: call.parameter("AttributeValue")}
    return dict(call.parameter("Attributes") or {})


def _unknown_attribute(call: Call) -> str | None:
    unknown = [name for name in _attributes(call) if name not in TOPIC_ATTRIBUTES]
    return "Invalid parameter: AttributeName" if unknown else None


def _policy(call: Call) -> str | None:
    policy = _attributes(call).get("Policy")
    problem = resource_policy(policy, "sns") if policy else None
    if problem is None:
        return None
    if problem.startswith("Invalid principal"):
        return "Invalid parameter: Policy Error: PrincipalNotFound"
    if problem.startswith("Action out"):
        return "Invalid parameter: Policy statement action out of service scope!"
    return f"Invalid parameter: Policy Error: {problem}"


def _key(call: Call) -> str | None:
    key = _attributes(call).get("KmsMasterKeyId")
    return (
        f"Invalid parameter: KmsMasterKeyId {key} does not exist"
        if key and not key_exists(key, call.region)
        else None
    )


def _json_attributes(call: Call) -> str | None:
    for name in ("DeliveryPolicy", "FilterPolicy", "RedrivePolicy"):
        text = _attributes(call).get(name)
        try:
            if text and not isinstance(json.loads(text), dict):
                return f"Invalid parameter: {name}: must be an object"
        except ValueError:
            return f"Invalid parameter: {name}: failed to parse JSON."
    return None


def _endpoint(call: Call) -> str | None:
    protocol, endpoint = call.parameters["Protocol"], call.parameter("Endpoint") or ""
    if protocol not in ENDPOINTS or re.fullmatch(ENDPOINTS[protocol], endpoint, re.ASCII):
        return None
    return f"Invalid parameter: {_WORDS.get(protocol, 'Endpoint')}"


def _function(call: Call) -> str | None:
    if call.parameters["Protocol"] != "lambda":
        return None
    arn = call.parameter("Endpoint") or ""
    region, name = arn.split(":")[3], arn.split(":")[6]
    known = {function.function_name for function in lambda_backends[ACCOUNT_ID][region].list_functions()}
    return None if name in known else f"Invalid parameter: Lambda endpoint ARN: {arn}"


def _no_topic(call: Call) -> str | None:
    topics = sns_backends[ACCOUNT_ID][call.region].topics
    return None if call.parameters["TopicArn"] in topics else "Topic does not exist"


_EMPTY = "Invalid parameter: Empty message"


def _empty(call: Call) -> str | None:
    return None if call.parameters["Message"] else _EMPTY


_SUBJECT = r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,99}"

RULES: tuple[Rule, ...] = (
    Rule(
        ("CreateTopic", "SetTopicAttributes"),
        _unknown_attribute,
        "InvalidParameter",
        API + "SetTopicAttributes",
    ),
    Rule(
        ("CreateTopic", "SetTopicAttributes"), _policy, "InvalidParameter", API + "SetTopicAttributes: Policy"
    ),
    Rule(
        ("CreateTopic", "SetTopicAttributes"),
        _key,
        "InvalidParameter",
        API + "SetTopicAttributes: KmsMasterKeyId",
    ),
    Rule(
        ("CreateTopic", "SetTopicAttributes", "Subscribe", "SetSubscriptionAttributes"),
        _json_attributes,
        "InvalidParameter",
        API + "Subscribe: Attributes",
    ),
    Rule(("SetTopicAttributes", "Subscribe"), _no_topic, "NotFound", API + "Subscribe: errors", 404),
    Rule(
        ("Subscribe",),
        one_of(
            "Protocol",
            PROTOCOLS,
            "Invalid parameter: Amazon SNS does not support this protocol string: {value}",
        ),
        "InvalidParameter",
        API + "Subscribe: Protocol",
    ),
    Rule(("Subscribe",), _endpoint, "InvalidParameter", API + "Subscribe: Endpoint"),
    Rule(("Subscribe",), _function, "InvalidParameter", API + "Subscribe: Endpoint"),
    Rule(("Publish",), _empty, "InvalidParameter", API + "Publish: Message"),
    Rule(
        ("Publish",),
        pattern("Subject", _SUBJECT, "Invalid parameter: Subject"),
        "InvalidParameter",
        API + "Publish: Subject",
    ),
)
