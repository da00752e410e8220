"""Rules of EC2: what is in use, security groups, subnets, endpoints, tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, COVERED_ENDPOINT_SERVICES

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import resource_policy
from embedded_aws.validation.table import Rule, Test, pattern

API = "Amazon EC2 API Reference, "
GUIDE = "Amazon VPC User Guide, "
_TEXT = r"[a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]{0,255}"
_DESCRIPTION = (
    "Invalid {0} description. Valid descriptions are strings less than 256 characters from the following set: "
    "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
)
PROTOCOLS = {"tcp", "udp", "icmp", "icmpv6", "-1"}
MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS = 127, 256, 50
ENDPOINT_SERVICES = {*AWS_ENDPOINT_SERVICES, *COVERED_ENDPOINT_SERVICES}
_GONE = ("deleted", "deleting", "terminated", "shutting-down")


def _backend(call: Call) -> Any:
    return ec2_backends[ACCOUNT_ID][call.region]


def _interfaces(call: Call) -> Iterator[Any]:
    """Yield the network interfaces that exist. moto keeps those of deleted NAT gateways and ended instances."""
    backend = _backend(call)
    ended = {id(gateway._eni) for gateway in backend.nat_gateways.values() if gateway.state in _GONE}
    for interface in list(backend.enis.values()):
        instance = interface.instance
        if id(interface) not in ended and (instance is None or instance.state not in _GONE):
            yield interface


def _endpoints(call: Call) -> Iterator[Any]:
    return (e for e in list(_backend(call).vpc_end_points.values()) if e.state not in _GONE)


def _subnet_in_use(call: Call) -> str | None:
    subnet = call.parameters["SubnetId"]
    if any(interface.subnet.id == subnet for interface in _interfaces(call)):
        return f"The subnet '{subnet}' has dependencies and cannot be deleted."
    return None


def _group_in_use(call: Call) -> str | None:
    group = call.parameter("GroupId")
    used = {g.id for interface in _interfaces(call) for g in interface.group_set}
    used |= {name for endpoint in _endpoints(call) for name in endpoint.security_group_ids or ()}
    for function in lambda_backends[ACCOUNT_ID][call.region].list_functions():
        used |= set((function.vpc_config or {}).get("SecurityGroupIds", ()))
    return f"resource {group} has a dependent object" if group in used else None


def _group_name(call: Call) -> str | None:
    name = call.parameters["GroupName"]
    if name.lower().startswith("sg-"):
        return f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*"
    if not re.fullmatch(_TEXT, name):
        return f"Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
    return None


def _permissions(call: Call) -> list[dict[str, Any]]:
    single = {
        n: call.parameter(n) for n in ("IpProtocol", "FromPort", "ToPort") if call.parameter(n) is not None
    }
    return [*(call.parameter("IpPermissions") or ()), *([single] if "IpProtocol" in single else [])]


def _protocol(call: Call) -> str | None:
    for permission in _permissions(call):
        name = str(permission.get("IpProtocol", "-1")).lower()
        if name not in PROTOCOLS and not (name.isdigit() and int(name) <= 255):
            return f"Invalid value '{name}' for IP protocol. Unknown protocol."
    return None


def _ports(call: Call) -> str | None:
    for permission in _permissions(call):
        if str(permission.get("IpProtocol")).lower() not in ("tcp", "udp", "6", "17"):
            continue
        low, high = permission.get("FromPort"), permission.get("ToPort")
        if low is None or high is None or not 0 <= low <= high <= 65_535:
            return f"Invalid TCP/UDP port range ({low}:{high})"
    return None


def _rule_description(call: Call) -> str | None:
    for permission in _permissions(call):
        for kind in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"):
            for entry in permission.get(kind) or ():
                if not re.fullmatch(_TEXT, entry.get("Description") or ""):
                    return _DESCRIPTION.replace("{0}", "rule")
    return None


def _small_subnet(call: Call) -> str | None:
    block = call.parameter("CidrBlock")
    try:
        length = ip_network(block or "0.0.0.0/16", strict=False).prefixlen
    except ValueError:
        return None  # moto refuses it
    return None if 16 <= length <= 28 else f"The CIDR '{block}' is invalid."


def _service_name(call: Call) -> str | None:
    name = call.parameter("ServiceName")
    if name is None or name.startswith(f"com.amazonaws.vpce.{call.region}."):
        return None
    known = {f"com.amazonaws.{call.region}.{service}" for service in ENDPOINT_SERVICES}
    known |= {f"aws.sagemaker.{call.region}.{service}" for service in ("notebook", "studio")}
    known.add("com.amazonaws.s3-global.accesspoint")
    return None if name in known else f"The Vpc Endpoint Service '{name}' does not exist"


def _endpoint_policy(call: Call) -> str | None:
    policy = call.parameter("PolicyDocument")
    return resource_policy(policy) if policy else None


def _tags(call: Call) -> Iterator[dict[str, str]]:
    yield from call.parameter("Tags") or ()
    for specification in call.parameter("TagSpecifications") or ():
        yield from specification.get("Tags") or ()


def _tag(call: Call) -> str | None:
    for tag in _tags(call):
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if key.lower().startswith("aws:") and call.operation != "DeleteTags":
            return "Tag keys starting with 'aws:' are reserved for internal use"
        if not 1 <= len(key) <= MAX_TAG_KEY:
            return f"Tag key exceeds the maximum length of {MAX_TAG_KEY} characters"
        if len(value) > MAX_TAG_VALUE:
            return f"Tag value exceeds the maximum length of {MAX_TAG_VALUE} characters"
    return None


def _too_many_tags(call: Call) -> str | None:
    for specification in call.parameter("TagSpecifications") or ():
        if len(specification.get("Tags") or ()) > MAX_TAGS:
            return "The maximum number of Tags for a resource has been reached."
    return None


def _no_allocation(call: Call) -> str | None:
    if call.parameter("AllocationId") or call.parameter("ConnectivityType") == "private":
        return None
    if call.parameter("AvailabilityMode") == "regional":
        return None
    return "The request must include the AllocationId parameter. Add the required parameter and retry the request."


def _fewer_than_minimum(call: Call) -> str | None:
    low, high = call.parameters["MinCount"], call.parameters["MaxCount"]
    if 1 <= low <= high:
        return None
    return f"Value ({high}) for parameter maxCount is invalid. It must be at least minCount ({low}), which is 1 or more."


def _instance_ids(call: Call) -> str | None:
    for name in call.parameter("InstanceIds") or ():
        if not re.fullmatch(r"i-([0-9a-f]{8}|[0-9a-f]{17})", name):
            return f'Invalid id: "{name}"'
    return None


def _value(operation: str, test: Test, *more: str) -> Rule:
    return Rule((operation, *more), test, "InvalidParameterValue", API + operation)


_AUTHORIZE = ("AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress")
_IDS = ("DescribeInstances", "StartInstances", "StopInstances", "TerminateInstances", "RebootInstances")
_DELETION = GUIDE + "Delete your VPC: dependencies"

RULES: tuple[Rule, ...] = (
    Rule(("DeleteSubnet",), _subnet_in_use, "DependencyViolation", _DELETION),
    Rule(("DeleteSecurityGroup",), _group_in_use, "DependencyViolation", GUIDE + "Delete a security group"),
    _value("CreateSecurityGroup", _group_name),
    _value(
        "CreateSecurityGroup",
        pattern("Description", _TEXT, _DESCRIPTION.replace("{0}", "security group")),
    ),
    *(_value(operation, test) for operation in _AUTHORIZE for test in (_protocol, _ports, _rule_description)),
    Rule(("CreateSubnet",), _small_subnet, "InvalidSubnet.Range", GUIDE + "Subnet CIDR blocks: sizing"),
    Rule(("CreateVpcEndpoint",), _service_name, "InvalidServiceName", API + "CreateVpcEndpoint: ServiceName"),
    Rule(
        ("CreateVpcEndpoint", "ModifyVpcEndpoint"),
        _endpoint_policy,
        "InvalidPolicyDocument",
        API + "CreateVpcEndpoint: PolicyDocument",
    ),
    Rule(("CreateNatGateway",), _no_allocation, "MissingParameter", API + "CreateNatGateway: AllocationId"),
    _value("RunInstances", _fewer_than_minimum),
    Rule(
        _IDS, _instance_ids, "InvalidInstanceID.Malformed", API + "Error codes: InvalidInstanceID.Malformed"
    ),
    Rule(("*",), _tag, "InvalidParameterValue", API + "Tag: Key"),
    Rule(("*",), _too_many_tags, "TagLimitExceeded", "Amazon EC2 User Guide, Tag restrictions"),
)
