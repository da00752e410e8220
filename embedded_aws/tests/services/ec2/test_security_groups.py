"""Security groups: descriptions of rules, and dependencies."""

import pytest
from botocore.exceptions import ClientError


@pytest.mark.parametrize(
    "source",
    [
        {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "why"}]},
        {"UserIdGroupPairs": [{"GroupId": "itself", "Description": "why"}]},
        {"PrefixListIds": [{"PrefixListId": "pl-12345678", "Description": "why"}]},
    ],
    ids=["range", "group", "prefix list"],
)
def test_rule_keeps_its_description(embedded_aws, source):
    ec2 = embedded_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="described", Description="x", VpcId=vpc)["GroupId"]
    for pair in source.get("UserIdGroupPairs", []):
        pair["GroupId"] = group
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **source}
    rules_created = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])[
        "SecurityGroupRules"
    ]
    found = ec2.describe_security_group_rules(
        SecurityGroupRuleIds=[item["SecurityGroupRuleId"] for item in rules_created]
    )
    assert [item.get("Description") for item in found["SecurityGroupRules"]] == ["why"]
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)


def test_security_group_and_vpc_with_dependents_cannot_be_deleted(embedded_aws):
    ec2 = embedded_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    named, naming = (
        ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"]
        for name in ("named", "naming")
    )
    rules = [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": named}]},
    ]
    ec2.authorize_security_group_egress(GroupId=naming, IpPermissions=rules)
    ec2.authorize_security_group_ingress(
        GroupId=named, IpPermissions=rules
    )  # a reference to itself is no dependency
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=named)
    ec2.revoke_security_group_egress(GroupId=naming, IpPermissions=rules)
    ec2.delete_security_group(GroupId=named)
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    ec2.delete_security_group(GroupId=naming)
    ec2.delete_vpc(VpcId=vpc)
