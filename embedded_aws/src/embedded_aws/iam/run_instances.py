"""Permissions of RunInstances: one for each resource that it uses or creates, each with its own condition keys.

Reference: the service authorization reference of EC2, and its user guide for Spot Instance requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.ec2.models import ec2_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import ec2
from embedded_aws.iam.attributes import TAGS_KNOWN
from embedded_aws.iam.request import Call

Needed = tuple[str, dict[str, Any]]
"""An ARN and its condition keys, lower case."""


def resources(call: Call) -> Iterator[Needed]:
    """Yield the resources that a RunInstances call uses and creates. New ones have no id yet."""
    interfaces = call.parameter("NetworkInterfaces") or []
    subnets = [*_given(call, "SubnetId"), *(i["SubnetId"] for i in interfaces if i.get("SubnetId"))]
    groups = [
        *(call.parameter("SecurityGroupIds") or []),
        *(group for interface in interfaces for group in interface.get("Groups") or []),
    ]
    for image in _given(call, "ImageId"):
        yield f"arn:aws:ec2:{call.region}::image/{image}", _image(call, image)
    yield _new(call, "instance", _instance(call))
    yield _new(call, "network-interface", _interface(call, subnets, interfaces))
    for volume in _volumes(call):
        yield _new(call, "volume", volume)
    if (call.parameter("InstanceMarketOptions") or {}).get("MarketType") == "spot":
        yield _new(call, "spot-instances-request", {})
    for kind, names in (
        ("subnet", subnets or ["*"]),  # EC2 chooses a subnet of the default VPC
        ("security-group", groups or ["*"]),
        ("key-pair", _given(call, "KeyName")),
        ("launch-template", list((call.parameter("LaunchTemplate") or {}).values())[:1]),
    ):
        for name in names:
            yield _arn(call, kind, name), {}


def _given(call: Call, parameter: str) -> list[str]:
    value = call.parameter(parameter)
    return [value] if value else []


def _arn(call: Call, kind: str, name: str) -> str:
    return f"arn:aws:ec2:{call.region}:{ACCOUNT_ID}:{kind}/{name}"


def _new(call: Call, kind: str, keys: dict[str, Any]) -> Needed:
    """Return a resource that the call creates, with the tags that the call gives to its type."""
    known = {TAGS_KNOWN: "true", **{name: value for name, value in keys.items() if value is not None}}
    return _arn(call, kind, "*"), {**ec2.request_tags(call, kind), **known}


def _image(call: Call, name: str) -> dict[str, Any]:
    image = ec2_backends[ACCOUNT_ID][call.region].amis.get(name)
    if image is None:
        return {"ec2:imageid": name}
    return {
        "ec2:imageid": name,
        "ec2:owner": image.owner_alias or image.owner_id,
        "ec2:public": str(bool(image.is_public)).lower(),
    }


def _instance(call: Call) -> dict[str, Any]:
    metadata = call.parameter("MetadataOptions") or {}
    hops, optimized = metadata.get("HttpPutResponseHopLimit"), call.parameter("EbsOptimized")
    spot = (call.parameter("InstanceMarketOptions") or {}).get("MarketType") == "spot"
    return {
        "ec2:ebsoptimized": None if optimized is None else str(optimized).lower(),
        "ec2:instancemarkettype": "spot" if spot else "on-demand",
        "ec2:instanceprofile": _profile(call),
        "ec2:instancetype": call.parameter("InstanceType"),
        "ec2:metadatahttpendpoint": metadata.get("HttpEndpoint"),
        "ec2:metadatahttpputresponsehoplimit": None if hops is None else str(hops),
        "ec2:metadatahttptokens": metadata.get("HttpTokens"),
    }


def _profile(call: Call) -> str | None:
    profile = call.parameter("IamInstanceProfile") or {}
    named = f"arn:aws:iam::{ACCOUNT_ID}:instance-profile/{profile['Name']}" if profile.get("Name") else None
    return profile.get("Arn") or named


def _interface(call: Call, subnets: list[str], interfaces: list[dict[str, Any]]) -> dict[str, Any]:
    public = next(
        (i["AssociatePublicIpAddress"] for i in interfaces if i.get("AssociatePublicIpAddress") is not None),
        None,
    )
    return {
        "ec2:associatepublicipaddress": None if public is None else str(public).lower(),
        "ec2:subnet": _arn(call, "subnet", subnets[0]) if subnets else None,
    }


def _volumes(call: Call) -> list[dict[str, Any]]:
    """Return the condition keys of each requested volume and of the image's root volume.

    The request overrides settings of the image.
    """
    image = ec2_backends[ACCOUNT_ID][call.region].amis.get(call.parameter("ImageId"))
    volumes: dict[str, dict[str, Any]] = {}
    if image is not None:
        volumes[image.root_device_name] = {"Encrypted": image.ebs_snapshot.encrypted}
    for mapping in call.parameter("BlockDeviceMappings") or []:
        if ebs := mapping.get("Ebs"):
            name = mapping.get("DeviceName", "")
            volumes[name] = volumes.get(name, {}) | ebs
    return [
        {
            "ec2:encrypted": str(bool(volume.get("Encrypted"))).lower(),
            "ec2:volumesize": str(volume["VolumeSize"]) if volume.get("VolumeSize") else None,
            "ec2:volumetype": volume.get("VolumeType"),
        }
        for volume in list(volumes.values()) or [{}]
    ]
