"""Record of access decisions, and condition keys that describe resources."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws.iam import decisions
from embedded_aws.iam.decisions import DecisionRecord
from embedded_aws.iam.evaluate import Decision, decide, identity, keys_of
from embedded_aws.iam.principals import Principal

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
CALLER = Principal(
    kind="AssumedRole", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", identity_arn=ROLE, user_id="i"
)
ALLOWED = Decision(True, "identity-based policy", ("Read",))


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_decision_is_recorded_once_with_the_condition_keys_that_policies_use(tmp_path):
    record = DecisionRecord(tmp_path)
    asks = document(
        {
            "Sid": "Read",
            "Action": "s3:ListBucket",
            "Resource": "*",
            "Condition": {"StringLike": {"s3:prefix": "a/*"}},
        }
    )
    for prefix in ("a/1", "a/1", "a/2"):
        context = {"s3:prefix": prefix, "aws:sourceip": "127.0.0.1"}
        record.note(CALLER, "s3:ListBucket", "arn:aws:s3:::b", context, ALLOWED, asks)
    first, second = lines(tmp_path / decisions.FILE)
    assert first.pop("time") <= second["time"]
    assert first == {
        "principal": ROLE,
        "session": CALLER.arn,
        "action": "s3:ListBucket",
        "resource": "arn:aws:s3:::b",
        "context": {"s3:prefix": "a/1"},
        "allowed": True,
        "reason": "identity-based policy",
        "statements": ["Read"],
    }
    assert second["context"] == {"s3:prefix": "a/2"}


def test_the_record_is_bounded_and_repeats_decisions_that_were_rotated_out(tmp_path):
    record = DecisionRecord(tmp_path, max_bytes=2000)
    for number in range(50):
        for resource in (f"r{number}", "again"):
            record.note(CALLER, "s3:GetObject", resource, {}, ALLOWED)
    kept = [tmp_path / decisions.FILE, tmp_path / f"{decisions.FILE}.1"]
    assert all(path.stat().st_size <= 2000 for path in kept)
    found = [entry["resource"] for path in kept for entry in lines(path)]
    assert "r49" in found and "r0" not in found
    assert "again" in [entry["resource"] for entry in lines(kept[0])]


def test_a_record_that_cannot_be_written_does_not_fail_the_request(tmp_path, caplog):
    record = DecisionRecord(tmp_path / "no-folder")
    record.note(CALLER, "s3:GetObject", "r", {}, ALLOWED)
    assert "decision not recorded" in caplog.text


def test_keys_of_finds_keys_in_conditions_and_policy_variables():
    text = document(
        {
            "Action": "a:B",
            "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/Team}/*",
            "Condition": {"StringEquals": {"aws:RequestTag/Project": "p"}},
        }
    )
    assert keys_of((text,)) == {"aws:principaltag/team", "aws:requesttag/project"}


def test_a_decision_names_every_statement_that_led_to_it():
    one = {"Sid": "One", "Action": "s3:GetObject", "Resource": "*"}
    assert identity([document(one, {**one, "Sid": "Two"})], "s3:GetObject", "r", {}) == (True, ("One", "Two"))
    denying = document(one, {**one, "Sid": "Three", "Effect": "Deny"})
    assert identity([denying], "s3:GetObject", "r", {}) == (False, ("Three",))
    assert identity([denying], "s3:PutObject", "r", {}) == (None, ())
    trust = document({"Sid": "Jobs", "Action": "sts:AssumeRole", "Principal": {"Service": "x.amazonaws.com"}})
    service = Principal(kind="AWSService", arn="x.amazonaws.com", identity_arn="x.amazonaws.com")
    assert decide(service, "sts:AssumeRole", ROLE, {}, trust, False).statements == ("Jobs",)


# ---- on the embedded AWS ----


@pytest.fixture
def role(embedded_aws):
    """Return a function that creates a role with statements and returns a factory of clients that act as it."""
    name = f"t{uuid.uuid4().hex[:10]}"

    def make(*statements: dict[str, Any]):
        iam, trust = embedded_aws.client("iam"), {"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        session = embedded_aws.session_of(name)
        return lambda service: embedded_aws.client(service, **session)

    make.name = name
    return make


def code(call, **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"


def test_allowed_and_denied_requests_are_recorded(embedded_aws, role):
    clients = role({"Sid": "Look", "Action": "ssm:DescribeParameters", "Resource": "*"})
    for _ in range(3):
        assert code(clients("ssm").describe_parameters) == "OK"
        assert code(clients("ssm").get_parameter, Name="/none") == "AccessDeniedException"
    found = [
        (entry["action"], entry["allowed"], entry["statements"])
        for entry in lines(embedded_aws.home / "log" / decisions.FILE)
        if entry["principal"].endswith(f":role/{role.name}")
    ]
    assert found == [("ssm:DescribeParameters", True, ["Look"]), ("ssm:GetParameter", False, [])]


def test_kms_keys_can_be_scoped_by_tag_and_by_alias(embedded_aws, role):
    kms = embedded_aws.client("kms")
    mine, other = (
        kms.create_key(Tags=[{"TagKey": "Team", "TagValue": team}])["KeyMetadata"]["KeyId"]
        for team in (role.name, "other")
    )
    kms.create_alias(AliasName=f"alias/{role.name}", TargetKeyId=other)
    keys = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"
    by_tag = {"StringEquals": {"aws:ResourceTag/Team": role.name}}
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{role.name}"}}
    clients = role(
        {"Action": "kms:DescribeKey", "Resource": keys, "Condition": by_tag},
        {"Action": "kms:ListResourceTags", "Resource": keys, "Condition": by_alias},
    )
    assert [code(clients("kms").describe_key, KeyId=key) for key in (mine, other)] == [
        "OK",
        "AccessDeniedException",
    ]
    assert [code(clients("kms").list_resource_tags, KeyId=key) for key in (mine, other)] == [
        "AccessDeniedException",
        "OK",
    ]


def test_a_condition_on_tags_that_are_not_looked_up_never_allows(role):
    by_tag = {"StringEquals": {"aws:ResourceTag/Team": role.name}}
    clients = role({"Action": "ssm:GetParameter", "Resource": "*", "Condition": by_tag})
    assert code(clients("ssm").get_parameter, Name="/none") == "AccessDeniedException"


def test_role_policies_can_be_changed_only_under_the_required_boundary(embedded_aws, role):
    boundary = embedded_aws.client("iam").create_policy(
        PolicyName=f"{role.name}-boundary",
        PolicyDocument=document({"Action": "s3:GetObject", "Resource": "*"}),
    )["Policy"]["Arn"]
    within = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    names = f"arn:aws:iam::{ACCOUNT}:role/{role.name}*"
    iam = role({"Action": ["iam:CreateRole", "iam:PutRolePolicy"], "Resource": names, "Condition": within})(
        "iam"
    )
    trust = document({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    child = {"RoleName": f"{role.name}-child", "AssumeRolePolicyDocument": trust}
    assert code(iam.create_role, **child) == "AccessDenied"
    assert code(iam.create_role, **child, PermissionsBoundary=boundary) == "OK"
    policy = {"PolicyName": "p", "PolicyDocument": document({"Action": "*", "Resource": "*"})}
    assert code(iam.put_role_policy, RoleName=child["RoleName"], **policy) == "OK"
    assert code(iam.put_role_policy, RoleName=role.name, **policy) == "AccessDenied"  # its own policies


def test_creating_with_tags_requires_the_tagging_action(role):
    name = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{role.name}"
    ssm = role({"Action": "ssm:PutParameter", "Resource": name})("ssm")
    parameter = {"Name": f"/{role.name}", "Value": "v", "Type": "String"}
    assert code(ssm.put_parameter, **parameter, Tags=[{"Key": "a", "Value": "b"}]) == "AccessDeniedException"
    assert code(ssm.put_parameter, **parameter) == "OK"


def test_networks_can_be_scoped_by_request_and_resource_tags(embedded_aws, role):
    root, arn = embedded_aws.client("ec2"), f"arn:aws:ec2:us-east-1:{ACCOUNT}"
    by_request = {"StringEquals": {"aws:RequestTag/Team": role.name}}
    by_resource = {"StringEquals": {"aws:ResourceTag/Team": role.name}}
    at_creation = {"StringEquals": {"ec2:CreateAction": ["CreateVpc", "CreateSubnet"]}}
    ec2 = role(
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
        return [{"ResourceType": kind, "Tags": [{"Key": "Team", "Value": role.name}]}]

    assert code(ec2.create_vpc, CidrBlock="10.9.0.0/16") == "UnauthorizedOperation"
    mine = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    other = root.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = {"CidrBlock": "10.9.1.0/24", "TagSpecifications": tagged("subnet")}
    assert code(ec2.create_subnet, VpcId=other, **subnet) == "UnauthorizedOperation"
    assert code(ec2.create_subnet, VpcId=mine, **subnet) == "OK"
    group = root.create_security_group(GroupName=role.name, Description="d", VpcId=other)["GroupId"]
    assert code(ec2.delete_security_group, GroupId=group) == "UnauthorizedOperation"
    # ec2:CreateAction does not hold when existing resources are tagged.
    assert code(ec2.create_tags, Resources=[other], Tags=tagged("vpc")[0]["Tags"]) == "UnauthorizedOperation"
    root.create_tags(Resources=[group], Tags=tagged("vpc")[0]["Tags"])
    assert code(ec2.delete_security_group, GroupId=group) == "OK"
    assert code(ec2.delete_vpc, VpcId=other) == "UnauthorizedOperation"


def test_run_instances_requires_permission_for_every_resource_it_uses(embedded_aws, role):
    root, arn = embedded_aws.client("ec2"), f"arn:aws:ec2:us-east-1:{ACCOUNT}"
    own = {"StringEquals": {"aws:RequestTag/Team": role.name}}
    ec2 = role(
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
            "Condition": {"StringEquals": {"aws:ResourceTag/Team": role.name}},
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
    )("ec2")
    tags = [{"Key": "Team", "Value": role.name}]
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
    of_account = root.create_image(InstanceId=instance, Name=role.name)["ImageId"]
    assert code(ec2.run_instances, **{**good, "ImageId": of_account}) == "UnauthorizedOperation"
    root.terminate_instances(InstanceIds=[instance])


def test_studio_domains_can_be_scoped_by_tag(embedded_aws, role):
    root = embedded_aws.client("sagemaker")
    sagemaker = role(
        {
            "Action": "sagemaker:DeleteDomain",
            "Resource": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:domain/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Team": role.name}},
        }
    )("sagemaker")
    found = []
    for name in (role.name, "another"):
        asked = {
            "DomainName": f"{role.name}-{name}",
            "AuthMode": "IAM",
            "VpcId": "vpc-1",
            "SubnetIds": ["subnet-1"],
            "DefaultUserSettings": {"ExecutionRole": ROLE},
            "Tags": [{"Key": "Team", "Value": name}],
        }
        found.append(root.create_domain(**asked)["DomainArn"].rpartition("/")[2])
    mine, other = found
    assert code(sagemaker.delete_domain, DomainId=other) == "AccessDeniedException"
    assert code(sagemaker.delete_domain, DomainId=mine) == "OK"
    root.delete_domain(DomainId=other)
