"""No role may use EC2 resources of others, or start a host other than the policies require."""

from __future__ import annotations

import pytest

from tests.permissions.account import REFUSED, ROLES, Act, attempt

pytestmark = pytest.mark.slow

FORBIDDEN: dict[str, Act] = {
    "start an instance": (
        "ec2",
        "run_instances",
        lambda a: {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1},
    ),
    "start a host without tags": ("ec2", "run_instances", lambda a: a.host(TagSpecifications=[])),
    "start a host with another role": (
        "ec2",
        "run_instances",
        lambda a: a.host(IamInstanceProfile={"Name": f"{a.prefix}-training"}),
    ),
    "start a host without a role": ("ec2", "run_instances", lambda a: a.host(IamInstanceProfile={})),
    "start a host with IMDSv1": (
        "ec2",
        "run_instances",
        lambda a: a.host(MetadataOptions={"HttpTokens": "optional"}),
    ),
    "start a host without encryption": (
        "ec2",
        "run_instances",
        lambda a: a.host(
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": False, "VolumeSize": 45}}]
        ),
    ),
    "start a host with an unencrypted root volume": (
        "ec2",
        "run_instances",
        lambda a: a.host(
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": True, "VolumeSize": 45}}]
        ),
    ),
    "start a host in a foreign subnet": ("ec2", "run_instances", lambda a: a.host(SubnetId=a.subnets[1])),
    "start a host in a foreign security group": (
        "ec2",
        "run_instances",
        lambda a: a.host(SecurityGroupIds=[a.groups[1]]),
    ),
    "start a host with a key pair": ("ec2", "run_instances", lambda a: a.host(KeyName="k")),
    "terminate a foreign instance": (
        "ec2",
        "terminate_instances",
        lambda a: {"InstanceIds": [a.other_instance]},
    ),
    "stop a foreign instance": ("ec2", "stop_instances", lambda a: {"InstanceIds": [a.other_instance]}),
    "change a foreign instance": (
        "ec2",
        "modify_instance_attribute",
        lambda a: {"InstanceId": a.other_instance, "DisableApiTermination": {"Value": False}},
    ),
    "read the console of a foreign instance": (
        "ec2",
        "get_console_output",
        lambda a: {"InstanceId": a.other_instance},
    ),
    "tag a foreign instance as own": (
        "ec2",
        "create_tags",
        lambda a: {"Resources": [a.other_instance], "Tags": [{"Key": "Project", "Value": a.project}]},
    ),
    "create a security group in a foreign VPC": (
        "ec2",
        "create_security_group",
        lambda a: {
            "GroupName": a.prefix,
            "Description": "d",
            "VpcId": a.vpc,
            "TagSpecifications": [
                {
                    "ResourceType": "security-group",
                    "Tags": [{"Key": "Project", "Value": a.project}, {"Key": "Environment", "Value": "dev"}],
                }
            ],
        },
    ),
    "delete a foreign security group": ("ec2", "delete_security_group", lambda a: {"GroupId": a.groups[1]}),
}


@pytest.mark.parametrize("act", FORBIDDEN)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not(account, role, act):
    assert attempt(account, role, FORBIDDEN[act]) == REFUSED.get(FORBIDDEN[act][0], "AccessDeniedException")
