"""Creating with tags takes a second permission: the service's own tagging action."""

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
    """The tagging action that a call needs, e.g. "iam:TagRole"; None if it creates nothing with tags."""
    if not (call.parameter("Tags") or call.parameter("tags")):
        return None
    if call.prefix == "sagemaker" and call.operation.startswith("Create"):
        return "sagemaker:AddTags"
    name = _ACTIONS.get(call.prefix, {}).get(call.operation)
    return f"{call.prefix}:{name}" if name else None


def resources_of(call: Call, created: list[str]) -> list[str]:
    """The ARNs that are tagged, of those that the call is about."""
    if call.prefix == "kms":
        return [f"arn:aws:kms:{call.region}:{ACCOUNT_ID}:key/*"]  # its id is not known yet
    if call.prefix == "logs":
        return [arn.removesuffix(":log-stream:") for arn in created]
    if (
        call.prefix == "sagemaker"
    ):  # CreateEndpoint is about the configuration, too, and tags only the endpoint
        return created[:1]
    return created
