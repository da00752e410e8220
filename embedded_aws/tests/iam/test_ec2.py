"""Permissions of EC2 calls."""

from __future__ import annotations

from typing import Any

import pytest

from access_kit import ACCOUNT, code

pytestmark = pytest.mark.slow


def test_networks_can_be_scoped_by_request_and_resource_tags(embedded_aws, as_role, name):
    root, arn = embedded_aws.client("ec2"), f"arn:aws:ec2:us-east-1:{ACCOUNT}"
    by_request = {"StringEquals": {"aws:RequestTag/Team": name}}
    by_resource = {"StringEquals": {"aws:ResourceTag/Team": name}}
    at_creation = {"StringEquals": {"ec2:CreateAction": ["CreateVpc", "CreateSubnet"]}}
    ec2 = as_role(
        {"Action": "ec2:CreateVpc", "Resource": f"{arn}:vpc/*", "Condition": by_request},
        {"Action": "ec2:CreateSubnet", "Resource": f"{arn}:subnet/*", "Condition": by_request},
        {"Action": "ec2:CreateTags", "Resource": f"{arn}:*/*", "Condition": at_creation},
        {
            "Action": ["ec2:CreateSubnet", "ec2:DeleteVpc", "ec2:DeleteSecurityGroup"],
            "Resource": [f"{arn}:vpc/*", f"{arn}:security-group/*"],
            "Condition": by_resource,
        },
    )("ec2")

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "Team", "Value": name}]}]

    assert code(ec2.create_vpc, CidrBlock="10.9.0.0/16") == "UnauthorizedOperation"
    mine = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    other = root.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = {"CidrBlock": "10.9.1.0/24", "TagSpecifications": tagged("subnet")}
    assert code(ec2.create_subnet, VpcId=other, **subnet) == "UnauthorizedOperation"
    assert code(ec2.create_subnet, VpcId=mine, **subnet) == "OK"
    group = root.create_security_group(GroupName=name, Description="d", VpcId=other)["GroupId"]
    assert code(ec2.delete_security_group, GroupId=group) == "UnauthorizedOperation"
    # ec2:CreateAction does not hold when existing resources are tagged.
    assert code(ec2.create_tags, Resources=[other], Tags=tagged("vpc")[0]["Tags"]) == "UnauthorizedOperation"
    root.create_tags(Resources=[group], Tags=tagged("vpc")[0]["Tags"])
    assert code(ec2.delete_security_group, GroupId=group) == "OK"
    assert code(ec2.delete_vpc, VpcId=other) == "UnauthorizedOperation"


def launch_statements(team: str) -> list[dict[str, Any]]:
    """Allow RunInstances for one team, with IMDSv2, encrypted volumes, the team's subnets and Amazon's images."""
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}"
    own = {"StringEquals": {"aws:RequestTag/Team": team}}
    return [
        {
            "Action": "ec2:RunInstances",
            "Resource": f"{arn}:instance/*",
            "Condition": {"StringEquals": {**own["StringEquals"], "ec2:MetadataHttpTokens": "required"}},
        },
        {
            "Action": "ec2:RunInstances",
            "Resource": f"{arn}:volume/*",
            "Condition": {"Bool": {"ec2:Encrypted": "true"}},
        },
        {
            "Action": "ec2:RunInstances",
            "Resource": f"{arn}:subnet/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Team": team}},
        },
        {
            "Action": "ec2:RunInstances",
            "Resource": "arn:aws:ec2:us-east-1::image/*",
            "Condition": {"StringEquals": {"ec2:Owner": "amazon"}},
        },
        {"Action": "ec2:RunInstances", "Resource": [f"{arn}:network-interface/*", f"{arn}:security-group/*"]},
        {
            "Action": "ec2:CreateTags",
            "Resource": f"{arn}:*/*",
            "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
        },
    ]


def test_run_instances_requires_permission_for_every_resource_it_uses(embedded_aws, as_role, name):
    root = embedded_aws.client("ec2")
    ec2 = as_role(*launch_statements(name))("ec2")
    tags = [{"Key": "Team", "Value": name}]
    vpc = root.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    mine, other = (
        root.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{n}.0/24")["Subnet"]["SubnetId"] for n in (0, 1)
    )
    root.create_tags(Resources=[mine], Tags=tags)
    image = root.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": ["Deep Learning*"]}])
    good = {
        "ImageId": image["Images"][0]["ImageId"],
        "InstanceType": "t3.medium",
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": mine,
        "MetadataOptions": {"HttpTokens": "required"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeSize": 45}}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
    }
    for bad in (
        {"TagSpecifications": []},
        {"TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]},  # another resource type
        {"MetadataOptions": {"HttpTokens": "optional"}},
        {"MetadataOptions": {}},
        {"BlockDeviceMappings": []},  # the image's root volume is not encrypted
        {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": True, "VolumeSize": 9}}]},
        {"SubnetId": other},
        {"KeyName": "k"},
        {"InstanceMarketOptions": {"MarketType": "spot"}},
        {"LaunchTemplate": {"LaunchTemplateId": "lt-1"}},
    ):
        assert code(ec2.run_instances, **{**good, **bad}) == "UnauthorizedOperation", bad
    instance = ec2.run_instances(**good)["Instances"][0]["InstanceId"]
    of_account = root.create_image(InstanceId=instance, Name=name)["ImageId"]
    assert code(ec2.run_instances, **{**good, "ImageId": of_account}) == "UnauthorizedOperation"
    root.terminate_instances(InstanceIds=[instance])
