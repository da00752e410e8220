"""Kinds of networks."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ops.inventory import prices
from ops.inventory.compute import described, ec2
from ops.inventory.model import Kind, Place, Resource


def _endpoint_cost(item: dict[str, Any]) -> float:
    if item.get("VpcEndpointType") != "Interface":
        return 0.0
    return prices.by_hour("interface_endpoint", max(len(item.get("SubnetIds") or []), 1))


def _is_part(interface: dict[str, Any]) -> bool:
    """Return whether a network interface comes and goes with what uses it."""
    attachment = interface.get("Attachment") or {}
    return bool(
        interface.get("RequesterManaged")
        or interface.get("InterfaceType", "interface") != "interface"
        or attachment.get("DeleteOnTermination")
    )


def _is_main(table: dict[str, Any]) -> bool:
    return any(association.get("Main") for association in table.get("Associations") or [])


def _gateway_vpc(item: dict[str, Any]) -> str:
    return next((found["VpcId"] for found in item.get("Attachments") or []), "")


def _delete_internet_gateway(place: Place, gateway: Resource) -> None:
    if gateway.vpc:
        place.client("ec2").detach_internet_gateway(InternetGatewayId=gateway.id, VpcId=gateway.vpc)
    place.client("ec2").delete_internet_gateway(InternetGatewayId=gateway.id)


def _delete_interface(place: Place, interface: Resource) -> None:
    if attachment := (interface.data.get("Attachment") or {}).get("AttachmentId"):
        place.client("ec2").detach_network_interface(AttachmentId=attachment, Force=True)
    place.client("ec2").delete_network_interface(NetworkInterfaceId=interface.id)


def _release(place: Place, address: Resource) -> None:
    if association := address.data.get("AssociationId"):
        place.client("ec2").disassociate_address(AssociationId=association)
    place.client("ec2").release_address(AllocationId=address.id)


def _delete_group(place: Place, group: Resource) -> None:
    """Delete a security group, without its rules first: rules of two groups may refer to each other."""
    client = place.client("ec2")
    for rules, revoke in (
        ("IpPermissions", client.revoke_security_group_ingress),
        ("IpPermissionsEgress", client.revoke_security_group_egress),
    ):
        if group.data.get(rules):
            try:
                revoke(GroupId=group.id, IpPermissions=group.data[rules])
            except ClientError as error:  # in an earlier round
                if "InvalidPermission.NotFound" not in str(error):
                    raise
    client.delete_security_group(GroupId=group.id)


def _delete_table(place: Place, table: Resource) -> None:
    client = place.client("ec2")
    for association in table.data.get("Associations") or []:
        client.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    client.delete_route_table(RouteTableId=table.id)


KINDS = (
    Kind(
        "flow log",
        ("aws_flow_log",),
        ("ec2:vpc-flow-log/",),
        described(
            "describe_flow_logs",
            "FlowLogs",
            "FlowLogId",
            "vpc-flow-log",
            vpc=lambda item: item.get("ResourceId", ""),
        ),
        ec2("delete_flow_logs", "FlowLogIds", many=True),
    ),
    Kind(
        "instance connect endpoint",
        ("aws_ec2_instance_connect_endpoint",),
        ("ec2:instance-connect-endpoint/",),
        described(
            "describe_instance_connect_endpoints",
            "InstanceConnectEndpoints",
            "InstanceConnectEndpointId",
            "instance-connect-endpoint",
        ),
        ec2("delete_instance_connect_endpoint", "InstanceConnectEndpointId"),
        only_tagged=True,
    ),
    Kind(
        "VPC endpoint",
        ("aws_vpc_endpoint",),
        ("ec2:vpc-endpoint/",),
        described(
            "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "vpc-endpoint", cost=_endpoint_cost
        ),
        ec2("delete_vpc_endpoints", "VpcEndpointIds", many=True),
        in_vpc=True,
    ),
    Kind(
        "NAT gateway",
        (),
        ("ec2:natgateway/",),
        described(
            "describe_nat_gateways",
            "NatGateways",
            "NatGatewayId",
            "natgateway",
            cost=lambda item: prices.by_hour("nat_gateway"),
        ),
        ec2("delete_nat_gateway", "NatGatewayId"),
        in_vpc=True,
    ),
    Kind(
        "network interface",
        (),
        ("ec2:network-interface/",),
        described(
            "describe_network_interfaces",
            "NetworkInterfaces",
            "NetworkInterfaceId",
            "network-interface",
            skip=_is_part,
        ),
        _delete_interface,
        in_vpc=True,
    ),
    Kind(
        "Elastic IP address",
        (),
        ("ec2:elastic-ip/",),
        described(
            "describe_addresses",
            "Addresses",
            "AllocationId",
            "elastic-ip",
            skip=lambda item: "AllocationId" not in item,
            cost=lambda item: prices.by_hour("public_ipv4"),
        ),
        _release,
    ),
    Kind(
        "security group",
        ("aws_security_group",),
        ("ec2:security-group/",),
        described(
            "describe_security_groups",
            "SecurityGroups",
            "GroupId",
            "security-group",
            name="GroupName",
            skip=lambda item: item["GroupName"] == "default",
        ),
        _delete_group,
        in_vpc=True,
    ),
    Kind(
        "subnet",
        ("aws_subnet",),
        ("ec2:subnet/",),
        described("describe_subnets", "Subnets", "SubnetId", "subnet"),
        ec2("delete_subnet", "SubnetId"),
        in_vpc=True,
    ),
    Kind(
        "route table",
        ("aws_route_table",),
        ("ec2:route-table/",),
        described("describe_route_tables", "RouteTables", "RouteTableId", "route-table", skip=_is_main),
        _delete_table,
        in_vpc=True,
    ),
    Kind(
        "internet gateway",
        (),
        ("ec2:internet-gateway/",),
        described(
            "describe_internet_gateways",
            "InternetGateways",
            "InternetGatewayId",
            "internet-gateway",
            vpc=_gateway_vpc,
        ),
        _delete_internet_gateway,
        in_vpc=True,
    ),
    Kind(
        "VPC",
        ("aws_vpc",),
        ("ec2:vpc/",),
        described("describe_vpcs", "Vpcs", "VpcId", "vpc", vpc=lambda item: ""),
        ec2("delete_vpc", "VpcId"),
    ),
)
"""In the order of their deletion."""
