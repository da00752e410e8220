"""Stacks training_host and workbench on the embedded AWS: apply, plan without changes, run the script, destroy."""

import json
from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.terraform.stack import Stack
from tests.terraform.lost_state import check_adoption

pytestmark = pytest.mark.slow

REGION = "us-east-1"
COMMON = {"project": "bench", "environment": "test", "region": REGION}
PROFILE = "bench-test-ec2-host"
TRUST = json.loads((Path(__file__).parents[2] / "policies/trust/ec2.json").read_text())
# Waits for an object before it shuts down: Terraform's apply fails if the host terminates too early.
TRAIN = """#!/usr/bin/env python3
import boto3, subprocess, time
s3 = boto3.client("s3", region_name="us-east-1")
print("I am", boto3.client("sts", region_name="us-east-1").get_caller_identity()["Arn"], flush=True)
while "Contents" not in s3.list_objects_v2(Bucket="bench-test-state", Prefix="go"):
    time.sleep(0.2)
print("trained", flush=True)
subprocess.run(["shutdown", "-P", "now"], check=True)
"""
LIST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bench-test-state"}
    ],
}


@pytest.fixture(scope="module")
def aws(embedded_aws):
    """The embedded AWS with a state bucket, the foundation's outputs, and the profile, key and network that they name."""
    iam, ssm, ec2 = (embedded_aws.client(name) for name in ("iam", "ssm", "ec2"))
    iam.create_role(RoleName=PROFILE, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=PROFILE, PolicyName="list", PolicyDocument=json.dumps(LIST))
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/20")["Vpc"]["VpcId"]
    zone = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.medium"]}]
    )["InstanceTypeOfferings"][0]["Location"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.0.0/24", AvailabilityZone=zone)["Subnet"][
        "SubnetId"
    ]
    group = ec2.create_security_group(GroupName="bench-test-training", Description="t", VpcId=vpc)["GroupId"]
    outputs = {
        "account_id": "123456789012",
        "bucket_arn": "arn:aws:s3:::bench-test",
        "ec2_host_instance_profile": PROFILE,
        "ec2_log_group": "/bench/test/ec2",
        "kms_key_arn": embedded_aws.client("kms").create_key()["KeyMetadata"]["Arn"],
        "network": {"vpc_id": vpc, "subnet_ids": [subnet], "training_security_group_ids": [group]},
        "prefix": "bench-test",
        "tuning_role_arn": "arn:aws:iam::123456789012:role/bench-test-tuning",
    }
    ssm.put_parameter(Name="/bench/test/foundation", Type="String", Value=json.dumps(outputs))
    embedded_aws.client("s3").create_bucket(Bucket="bench-test-state")
    return embedded_aws


@pytest.fixture(scope="module")
def variables(aws, stack_variables) -> dict[str, str]:
    return stack_variables(aws)


@pytest.fixture(autouse=True)
def _environment(_no_real_account, variables, monkeypatch):
    """Set the AWS variables, which every test loses first."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def without_network(aws):
    """Remove the private network from the foundation's outputs."""
    ssm, name = aws.client("ssm"), "/bench/test/foundation"
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    value = json.dumps({**json.loads(before), "network": None})
    ssm.put_parameter(Name=name, Type="String", Value=value, Overwrite=True)
    yield
    ssm.put_parameter(Name=name, Type="String", Value=before, Overwrite=True)


def stack(root: str, **variables) -> Stack:
    return Stack(
        root=root,
        key=f"{root}.tfstate",
        state_bucket="bench-test-state",
        region=REGION,
        variables={**COMMON, **({"boundary_arn": ""} if root == "workbench" else {}), **variables},
    )


def outputs(aws, root: str) -> dict:
    name = f"/bench/test/{root}"
    return json.loads(aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


def test_a_training_host_runs_its_script_and_is_destroyed_without_inputs(aws, until):
    ec2, cloudwatch = aws.client("ec2"), aws.client("cloudwatch")
    host = stack("training_host", host={"user_data": TRAIN, "spot": True, "instance_type": "t3.large"})
    host.up()
    check_adoption(aws, host)
    instance = outputs(aws, "training_host")["instance_id"]

    def described() -> dict:
        return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    assert described()["InstanceLifecycle"] == "spot" and "PublicIpAddress" not in described()
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["bench-test-host-idle"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": instance}]
    assert alarm["AlarmActions"] == [f"arn:aws:automate:{REGION}:ec2:terminate"]
    aws.client("s3").put_object(Bucket="bench-test-state", Key="go")
    until(lambda: described()["State"]["Name"] == "terminated")
    console = ec2.get_console_output(InstanceId=instance, Latest=True)["Output"]
    assert f"assumed-role/{PROFILE}/{instance}" in console and "\ntrained\n" in console
    assert described()["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    stack("training_host").down()
    assert cloudwatch.describe_alarms(AlarmNames=["bench-test-host-idle"])["MetricAlarms"] == []


def test_a_studio_workbench_is_destroyed_without_inputs_and_with_its_file_system(aws):
    sagemaker = aws.client("sagemaker")
    repository = "s3://bench-test/code/repository.tar.gz"
    workbench = stack("workbench", workbench={"repository_uri": repository})
    workbench.up()
    check_adoption(aws, workbench)
    made = outputs(aws, "workbench")  # a later apply compares its inputs with these
    assert (made["internet_access"], made["repository_uri"]) == (False, repository)
    domain = made["domain_id"]
    (space,) = sagemaker.list_spaces(DomainIdEquals=domain)["Spaces"]
    assert (space["SpaceName"], space["Status"]) == ("bench-test-workbench", "InService")
    (config,) = sagemaker.list_studio_lifecycle_configs(NameContains="bench-test-workbench")[
        "StudioLifecycleConfigs"
    ]
    file_system = sagemaker.describe_domain(DomainId=domain)["HomeEfsFileSystemId"]
    profile = sagemaker.describe_user_profile(DomainId=domain, UserProfileName="bench-test-workbench")
    assert config["StudioLifecycleConfigArn"] in json.dumps(profile["UserSettings"])
    stack("workbench").down()
    files = aws.client("efs").describe_file_systems()["FileSystems"]
    assert file_system not in [system["FileSystemId"] for system in files]
    assert domain not in [d["DomainId"] for d in sagemaker.list_domains()["Domains"]]


def test_a_notebook_instance_outside_a_private_network_is_destroyed_without_inputs(aws, without_network):
    """Without inputs, a plan of this workbench fails; destroying it must not need them."""
    workbench = stack("workbench", workbench={"kind": "notebook", "internet_access": True})
    workbench.up()
    check_adoption(aws, workbench)
    assert outputs(aws, "workbench")["kind"] == "notebook"
    with pytest.raises(OperatorError, match="Without internet_access"):
        stack("workbench").plan()
    stack("workbench").down()
    assert aws.client("sagemaker").list_notebook_instances()["NotebookInstances"] == []
