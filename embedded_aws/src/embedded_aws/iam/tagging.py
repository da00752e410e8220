"""Tagging on creation: needs a second permission, for the tagging action of the service."""

from __future__ import annotations

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call

_ACTIONS = {
    "application-autoscaling": {"RegisterScalableTarget": "TagResource"},
    "cloudwatch": {"PutMetricAlarm": "TagResource"},
    "events": {"PutRule": "TagResource"},
    "iam": {
        "CreateInstanceProfile": "TagInstanceProfile",
        "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider",
        "CreatePolicy": "TagPolicy",
        "CreateRole": "TagRole",
    },
    "kms": {"CreateKey": "TagResource"},
    "lambda": {"CreateFunction": "TagResource"},
    "logs": {"CreateLogGroup": "TagResource"},
    "sns": {"CreateTopic": "TagResource"},
    "sqs": {"CreateQueue": "TagQueue"},
    "ssm": {"PutParameter": "AddTagsToResource"},
}


def action_of(call: Call) -> str | None:
    """Return the tagging action that a call needs, e.g. "iam:TagRole"; None if it creates nothing with tags."""
    if not (call.parameter("Tags") or call.parameter("tags")):
        return None
    if call.prefix == "sagemaker" and call.operation.startswith("Create"):
        return "sagemaker:AddTags"
    name = _ACTIONS.get(call.prefix, {}).get(call.operation)
    return f"{call.prefix}:{name}" if name else None


def resources_of(call: Call, created: list[str]) -> list[str]:
    """Return the ARNs that the call tags, of those that it creates or uses."""
    if call.prefix == "kms":
        return [f"arn:aws:kms:{call.region}:{ACCOUNT_ID}:key/*"]  # the key has no id yet
    if call.prefix == "logs":
        return [arn.removesuffix(":log-stream:") for arn in created]
    if call.prefix == "sagemaker":  # CreateEndpoint is also on the configuration, but tags only the endpoint
        return created[:1]
    return created
