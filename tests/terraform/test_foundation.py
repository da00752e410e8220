"""Stack foundation on the embedded AWS: apply, plan without changes, check what it made, destroy."""

import json

import pytest
from botocore.exceptions import ClientError

from ops.terraform.stack import Stack
from pipeline import removal
from pipeline.removal import PlannedStack
from tests.terraform.lost_state import check_adoption

pytestmark = pytest.mark.slow

PREFIX = "stacks-test"
REGION = "us-east-1"
COMMON = {"project": "stacks", "environment": "test", "region": REGION}


@pytest.fixture(scope="module")
def variables(fresh_embedded_aws, stack_variables) -> dict[str, str]:
    fresh_embedded_aws.client("s3").create_bucket(Bucket=f"{PREFIX}-state")
    return stack_variables(fresh_embedded_aws)


@pytest.fixture(scope="module")
def aws(fresh_embedded_aws):
    return fresh_embedded_aws


@pytest.fixture(autouse=True)
def _environment(_no_real_account, variables, monkeypatch):
    """Set the AWS variables, which every test loses first."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def foundation(aws, variables):
    """The stack, applied once for all tests of this file. The last test destroys it."""
    stack = Stack(
        root="foundation",
        key="foundation.tfstate",
        state_bucket=f"{PREFIX}-state",
        region=REGION,
        variables={
            **COMMON,
            "storage": {"force_destroy": True, "expiry": {"enabled": False}},
            "key": {"deletion_window_days": 7},
            "network": {"enabled": True, "flow_logs": True},
            "budget": {"monthly_usd": 10},
            "notifications": {"emails": ["operator@example.com"]},
            "logs": {"retention_days": 7, "manage_training_group": True, "manage_processing_group": True},
            "images": {
                "account_id": "763104351884",
                "training_repository": "pytorch",
                "serving_repository": "ray",
            },
            "boundary_arn": "",
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        stack.up()
    return stack


@pytest.fixture(scope="module")
def outputs(aws, foundation) -> dict:
    parameter = aws.client("ssm").get_parameter(Name="/stacks/test/foundation")
    return json.loads(parameter["Parameter"]["Value"])


def test_second_plan_of_the_foundation_is_empty(foundation):
    assert foundation.plan().changes == ()


def test_bucket_is_private_encrypted_and_versioned(aws, outputs):
    s3, bucket = aws.client("s3"), outputs["bucket"]
    assert bucket == f"{PREFIX}-{outputs['account_id']}-{REGION}"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4 and all(blocked.values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == outputs["kms_key_arn"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


@pytest.mark.parametrize(
    "encryption",
    [
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms"},  # the account's default key
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:763104351884:key/1"},
    ],
)
def test_bucket_refuses_an_object_with_another_encryption(aws, outputs, encryption):
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("s3").put_object(Bucket=outputs["bucket"], Key="datasets/x", Body=b"x", **encryption)


def test_network_has_no_route_to_the_internet(aws, outputs):
    ec2, network = aws.client("ec2"), outputs["network"]
    in_vpc = {"Filters": [{"Name": "vpc-id", "Values": [network["vpc_id"]]}]}
    routes = [r for table in ec2.describe_route_tables(**in_vpc)["RouteTables"] for r in table["Routes"]]
    # Within the VPC, and to S3 through its gateway endpoint.
    assert {route.get("DestinationCidrBlock") for route in routes} <= {"10.40.0.0/20", None}
    subnets = ec2.describe_subnets(**in_vpc)["Subnets"]
    assert {subnet["SubnetId"] for subnet in subnets} == set(network["subnet_ids"])
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(**in_vpc)["SecurityGroups"]}
    assert groups["default"]["IpPermissions"] == groups["default"]["IpPermissionsEgress"] == []
    ranges = [r for g in groups.values() for p in g["IpPermissionsEgress"] for r in p["IpRanges"]]
    assert ranges == []  # egress only to security groups and S3's prefix list
    endpoints = ec2.describe_vpc_endpoints(**in_vpc)["VpcEndpoints"]
    assert len(endpoints) == 12
    for endpoint in endpoints:
        assert outputs["account_id"] in endpoint["PolicyDocument"], endpoint["ServiceName"]


def test_resources_have_the_tags(aws, outputs):
    tags = aws.client("sagemaker").list_tags(ResourceArn=outputs["model_package_group_arn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "Project": "stacks",
        "Environment": "test",
        "ManagedBy": "terraform",
        "Stack": "foundation",
    }


def test_resources_that_are_not_in_the_state_are_adopted(aws, foundation):
    assert len(check_adoption(aws, foundation).adopted) > 50


def test_foundation_is_destroyed_in_two_parts_the_data_last(aws, foundation, outputs, monkeypatch):
    s3, sagemaker = aws.client("s3"), aws.client("sagemaker")
    for body in (b"old", b"new"):
        s3.put_object(Bucket=outputs["bucket"], Key="datasets/a", Body=body)
    s3.delete_object(Bucket=outputs["bucket"], Key="datasets/a")
    packages = sagemaker.list_model_packages(ModelPackageGroupName=outputs["model_package_group_name"])
    monkeypatch.setattr(foundation, "s3", s3)

    with foundation.locked():
        plan = foundation.plan(destroy=True)
        planned = removal.in_two_parts(PlannedStack("foundation", foundation, plan))
        foundation.apply(planned.early)

    # Everything but the data is gone, and the roles without which the key's policy is invalid.
    last = foundation.plan(destroy=True)
    kept = {change.address for change in last.changes}
    assert {address.rpartition(".aws_")[0] or address for address in kept} == {
        "aws_sagemaker_model_package_group.this",
        "module.storage",
        "module.key",
        "module.ec2_host_role",
        "module.endpoint_role",
        "module.processing_role",
        "module.training_role",
        "module.tuning_role",
    }
    assert len(s3.list_object_versions(Bucket=outputs["bucket"])["Versions"]) == 2
    assert aws.client("kms").describe_key(KeyId=outputs["kms_key_arn"])["KeyMetadata"]["Enabled"]
    tagged = [{"Name": "tag:Project", "Values": ["stacks"]}]
    assert aws.client("ec2").describe_vpcs(Filters=tagged)["Vpcs"] == []

    for package in packages["ModelPackageSummaryList"]:  # a group with versions in it cannot be deleted
        sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])

    foundation.apply(last)

    assert outputs["bucket"] not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    roles = aws.client("iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles if role["RoleName"].startswith(PREFIX)] == []
    assert aws.client("kms").describe_key(KeyId=outputs["kms_key_arn"])["KeyMetadata"]["KeyState"] == (
        "PendingDeletion"
    )
