"""Condition keys of resources: tags, aliases, boundaries."""

from __future__ import annotations

import pytest

from access_kit import ACCOUNT, code, policy

pytestmark = pytest.mark.slow


def test_kms_keys_can_be_scoped_by_tag_and_by_alias(embedded_aws, as_role, name):
    kms = embedded_aws.client("kms")
    mine, other = (
        kms.create_key(Tags=[{"TagKey": "Team", "TagValue": team}])["KeyMetadata"]["KeyId"]
        for team in (name, "other")
    )
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=other)
    keys = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"
    by_tag = {"StringEquals": {"aws:ResourceTag/Team": name}}
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{name}"}}
    clients = as_role(
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


def test_a_condition_on_tags_that_are_not_looked_up_never_allows(as_role, name):
    by_tag = {"StringEquals": {"aws:ResourceTag/Team": name}}
    clients = as_role({"Action": "ssm:GetParameter", "Resource": "*", "Condition": by_tag})
    assert code(clients("ssm").get_parameter, Name="/none") == "AccessDeniedException"


def test_role_policies_can_be_changed_only_under_the_required_boundary(embedded_aws, as_role, name):
    boundary = embedded_aws.client("iam").create_policy(
        PolicyName=f"{name}-boundary",
        PolicyDocument=policy({"Action": "s3:GetObject", "Resource": "*"}),
    )["Policy"]["Arn"]
    within = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    names = f"arn:aws:iam::{ACCOUNT}:role/{name}*"
    iam = as_role(
        {"Action": ["iam:CreateRole", "iam:PutRolePolicy"], "Resource": names, "Condition": within}
    )("iam")
    trust = policy({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    child = {"RoleName": f"{name}-child", "AssumeRolePolicyDocument": trust}
    assert code(iam.create_role, **child) == "AccessDenied"
    assert code(iam.create_role, **child, PermissionsBoundary=boundary) == "OK"
    everything = {"PolicyName": "p", "PolicyDocument": policy({"Action": "*", "Resource": "*"})}
    assert code(iam.put_role_policy, RoleName=child["RoleName"], **everything) == "OK"
    assert code(iam.put_role_policy, RoleName=name, **everything) == "AccessDenied"  # its own policies


def test_studio_domains_can_be_scoped_by_tag(embedded_aws, as_role, name):
    root = embedded_aws.client("sagemaker")
    sagemaker = as_role(
        {
            "Action": "sagemaker:DeleteDomain",
            "Resource": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:domain/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Team": name}},
        }
    )("sagemaker")
    found = []
    for team in (name, "another"):
        domain = {
            "DomainName": f"{name}-{team}",
            "AuthMode": "IAM",
            "VpcId": "vpc-1",
            "SubnetIds": ["subnet-1"],
            "DefaultUserSettings": {"ExecutionRole": f"arn:aws:iam::{ACCOUNT}:role/r"},
            "Tags": [{"Key": "Team", "Value": team}],
        }
        found.append(root.create_domain(**domain)["DomainArn"].rpartition("/")[2])
    mine, other = found
    assert code(sagemaker.delete_domain, DomainId=other) == "AccessDeniedException"
    assert code(sagemaker.delete_domain, DomainId=mine) == "OK"
    root.delete_domain(DomainId=other)
