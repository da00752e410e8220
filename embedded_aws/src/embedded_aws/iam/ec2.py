"""EC2 calls: resources by the prefix of their id, and tags given at creation."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call

# Resource type in an ARN, by the prefix of the id.
_KINDS = {
    "eice": "instance-connect-endpoint",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "i": "instance",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}


def resources(call: Call) -> list[str] | None:
    """Return the ARNs of calls where the reference's placeholders do not find them; None for all others."""
    if call.operation in ("CreateTags", "DeleteTags"):
        ids = call.parameter("Resources") or []
    elif call.operation.endswith(("SecurityGroup", "SecurityGroupIngress", "SecurityGroupEgress")):
        ids = [call.parameter("GroupId")]
    elif call.operation == "DeleteFlowLogs":
        ids = call.parameter("FlowLogIds") or []
    elif call.operation == "DisassociateRouteTable":
        ids = _associated(call.region, call.parameter("AssociationId"))
    else:
        return None
    return [_arn(call.region, name) for name in ids if name] or None


def created_with_tags(call: Call) -> dict[str, dict[str, Any]]:
    """Return the condition keys of ec2:CreateTags for each resource that a call creates with tags, by ARN."""
    return {
        f"arn:aws:ec2:{call.region}:{ACCOUNT_ID}:{given['ResourceType']}/*": {
            "ec2:createaction": call.operation,
            **_request_tags(given.get("Tags") or []),
        }
        for given in call.parameter("TagSpecifications") or call.parameter("TagSpecification") or []
        if given.get("ResourceType")
    }


def request_tags(call: Call, kind: str | None = None) -> dict[str, Any]:
    """Return the condition keys of the tags that a call gives: all, or those of one resource type."""
    tags = [
        tag
        for given in call.parameter("TagSpecifications") or call.parameter("TagSpecification") or []
        if kind in (None, given.get("ResourceType"))
        for tag in given.get("Tags") or []
    ]
    return _request_tags(tags)


def _request_tags(tags: list[dict[str, str]]) -> dict[str, Any]:
    if not tags:
        return {}
    values: dict[str, Any] = {f"aws:requesttag/{t['Key'].lower()}": t.get("Value", "") for t in tags}
    return {**values, "aws:tagkeys": [t["Key"] for t in tags]}


def _associated(region: str, association: str | None) -> list[str]:
    for table in ec2_backends[ACCOUNT_ID][region].route_tables.values():
        if association in table._associations:
            return [table.id, table._associations[association]]
    return []


def _arn(region: str, name: str) -> str:
    kind = _KINDS.get(name.rpartition("-")[0], "*")
    return f"arn:aws:ec2:{region}:{ACCOUNT_ID}:{kind}/{name}"
