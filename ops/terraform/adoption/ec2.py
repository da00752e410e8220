"""How resources of EC2 are found: by their tag Name in our VPC, by name, or by what they connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.aws import tag_dict
from ops.terraform.adoption.rules import (
    Account,
    ByName,
    Condition,
    Found,
    Listed,
    Rule,
    Values,
    known,
)

Item = Mapping[str, Any]

_GONE = ("deleted", "terminated", "shutting-down", "delete-complete")
_CHANGING = ("pending", "deleting", "create-in-progress", "delete-in-progress")
_FAILED = ("failed", "rejected", "expired", "create-failed", "delete-failed")


def _items(account: Account, operation: str, key: str, *, filters: str = "Filters") -> list[Item]:
    """Return what a describe operation lists with this environment's tags."""
    pages = account.client("ec2").get_paginator(operation)
    wanted = [{"Name": f"tag:{tag}", "Values": [value]} for tag, value in account.owner.items()]
    return [item for page in pages.paginate(**{filters: wanted}) for item in page[key]]


def _state(item: Item) -> str:
    state = item.get("State") or item.get("FlowLogStatus") or "available"
    return str(state["Name"] if isinstance(state, Mapping) else state).lower()


def _found(item: Item, id_key: str) -> Found:
    state, tags = _state(item), tag_dict(item.get("Tags"))
    condition = (
        Condition.CHANGING
        if state in _CHANGING
        else Condition.FAILED
        if state in _FAILED
        else Condition.READY
    )
    return Found(item[id_key], f"{tags.get('Name', '')} ({item[id_key]})", tags, condition)


def _named(item: Item, values: Values) -> bool:
    """Return whether an item exists and has the planned tag Name."""
    name = (values.get("tags") or {}).get("Name")
    return bool(name) and tag_dict(item.get("Tags")).get("Name") == name and _state(item) not in _GONE


def _tagged(
    operation: str, key: str, id_key: str, *same: tuple[str, str], filters: str = "Filters"
) -> Listed:
    """Return the rule of a resource with a tag Name.

    same: keys of an item, with the arguments of the planned resource that must be known and have the same value.
    """

    def matches(item: Item, values: Values) -> bool:
        return _named(item, values) and all(
            known(values, argument) and item.get(name) == values[argument] for name, argument in same
        )

    return Listed(
        lambda account: _items(account, operation, key, filters=filters),
        matches,
        lambda item: _found(item, id_key),
    )


def _instances(account: Account) -> list[Item]:
    reservations = _items(account, "describe_instances", "Reservations")
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def _group(account: Account, vpc: str, name: str) -> Item | None:
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": [name]}]
    groups = account.client("ec2").describe_security_groups(Filters=wanted)["SecurityGroups"]
    return groups[0] if groups else None


def _security_group(account: Account, values: Values) -> Found | None:
    if not known(values, "vpc_id", "name"):
        return None
    group = _group(account, values["vpc_id"], values["name"])
    return _found(group, "GroupId") if group else None


def _default_security_group(account: Account, values: Values) -> Found | None:
    """Return the closed default group. Terraform creates nothing: without our tags, it closes the group and tags it."""
    if not known(values, "vpc_id"):
        return None
    group = _group(account, values["vpc_id"], "default")
    return _found(group, "GroupId") if group and account.owns(tag_dict(group.get("Tags"))) else None


def _rule(is_egress: bool) -> ByName:
    """Return the rule of a security group's rules. A group has at most one rule with the same content."""

    def find(account: Account, values: Values) -> Found | None:
        if not known(values, "security_group_id", "ip_protocol"):
            return None
        wanted = [{"Name": "group-id", "Values": [values["security_group_id"]]}]
        pages = account.client("ec2").get_paginator("describe_security_group_rules").paginate(Filters=wanted)
        rules = (rule for page in pages for rule in page["SecurityGroupRules"])
        same = (rule for rule in rules if rule["IsEgress"] is is_egress and _same_rule(rule, values))
        return next((Found(rule["SecurityGroupRuleId"]) for rule in same), None)

    return ByName(find)


def _same_rule(rule: Item, values: Values) -> bool:
    """Return whether a rule allows what the planned one allows."""
    peers = (
        (rule.get("CidrIpv4"), values.get("cidr_ipv4")),
        (rule.get("PrefixListId"), values.get("prefix_list_id")),
        ((rule.get("ReferencedGroupInfo") or {}).get("GroupId"), values.get("referenced_security_group_id")),
    )
    ports = ((rule.get("FromPort"), values.get("from_port")), (rule.get("ToPort"), values.get("to_port")))
    return (
        rule["IpProtocol"] == values["ip_protocol"]
        and any(planned for _, planned in peers)
        and all((actual or None) == (planned or None) for actual, planned in peers)
        and all(
            (-1 if actual is None else actual) == (-1 if planned is None else planned)
            for actual, planned in ports
        )
    )


def _association(account: Account, values: Values) -> Found | None:
    if not known(values, "subnet_id", "route_table_id"):
        return None
    wanted = [{"Name": "association.subnet-id", "Values": [values["subnet_id"]]}]
    tables = account.client("ec2").describe_route_tables(Filters=wanted)["RouteTables"]
    ids = {table["RouteTableId"] for table in tables}
    return (
        Found(f"{values['subnet_id']}/{values['route_table_id']}")
        if values["route_table_id"] in ids
        else None
    )


_IN_VPC = ("VpcId", "vpc_id")

RULES: dict[str, Rule] = {
    "aws_default_security_group": ByName(_default_security_group),
    "aws_ec2_instance_connect_endpoint": _tagged(
        "describe_instance_connect_endpoints", "InstanceConnectEndpoints", "InstanceConnectEndpointId"
    ),
    "aws_flow_log": _tagged(
        "describe_flow_logs", "FlowLogs", "FlowLogId", ("ResourceId", "vpc_id"), filters="Filter"
    ),
    "aws_instance": Listed(_instances, _named, lambda item: _found(item, "InstanceId")),
    "aws_route_table": _tagged("describe_route_tables", "RouteTables", "RouteTableId", _IN_VPC),
    "aws_route_table_association": ByName(_association),
    "aws_security_group": ByName(_security_group),
    "aws_subnet": _tagged("describe_subnets", "Subnets", "SubnetId", _IN_VPC),
    "aws_vpc": _tagged("describe_vpcs", "Vpcs", "VpcId"),
    "aws_vpc_endpoint": _tagged("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", _IN_VPC),
    "aws_vpc_security_group_egress_rule": _rule(is_egress=True),
    "aws_vpc_security_group_ingress_rule": _rule(is_egress=False),
}
