"""Teardown: the sweep finds each kind of leftover, and only this environment's; states and versions go last."""

import io
import json
import zipfile

import pytest

from ops import settings as environments
from ops.aws import client
from ops.errors import OperatorError
from ops.terraform import stacks
from pipeline import teardown
from pipeline.workbench import studio

pytestmark = pytest.mark.usefixtures("moto_aws")
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/service"


@pytest.fixture
def dev() -> environments.Settings:
    return environments.load("dev")


def endpoint(name: str) -> None:
    sagemaker = client("sagemaker", REGION)
    sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "registry/image:1"}
    )
    variant = {
        "VariantName": "a",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    client("application-autoscaling", REGION).register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{name}/variant/a",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )


def function(name: str) -> None:
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    }
    role = client("iam", REGION).create_role(
        RoleName=f"{name}-function", AssumeRolePolicyDocument=json.dumps(trust)
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("handler.py", "")
    client("lambda", REGION).create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
    )


def key(name: str) -> str:
    created = client("kms", REGION).create_key()["KeyMetadata"]["KeyId"]
    client("kms", REGION).create_alias(AliasName=f"alias/{name}", TargetKeyId=created)
    return created


def instance(project: str, environment: str) -> str:
    tags = [{"Key": "Project", "Value": project}, {"Key": "Environment", "Value": environment}]
    ec2 = client("ec2", REGION)
    made = ec2.run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    return made["Instances"][0]["InstanceId"]


def network(project: str, environment: str) -> tuple[str, str]:
    """A VPC with an endpoint, a NAT gateway and its address. Returns the ids of endpoint and gateway."""
    tags = [{"Key": "Project", "Value": project}, {"Key": "Environment", "Value": environment}]

    def tagged(kind: str) -> dict:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}

    ec2 = client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.40.0.0/20", **tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.40.0.0/23")["Subnet"]["SubnetId"]
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.sts",
        VpcEndpointType="Interface",
        **tagged("vpc-endpoint"),
    )
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip"))["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **tagged("natgateway"))
    return made["VpcEndpoint"]["VpcEndpointId"], gateway["NatGateway"]["NatGatewayId"]


def notebooks(project: str, environment: str) -> None:
    """A notebook instance, and a Studio domain with its file system in EFS."""
    name, sagemaker = f"{project}-{environment}-workbench", client("sagemaker", REGION)
    sagemaker.create_notebook_instance(NotebookInstanceName=name, InstanceType="ml.t2.medium", RoleArn=ROLE)
    domain = sagemaker.create_domain(
        DomainName=name,
        AuthMode="IAM",
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
        DefaultUserSettings={"ExecutionRole": ROLE},
    )
    owner = [{"Key": studio.OWNER, "Value": domain["DomainArn"]}]
    client("efs", REGION).create_file_system(CreationToken=name, Tags=owner)
    client("ec2", REGION).create_security_group(
        GroupName=f"security-group-for-inbound-nfs-{name}",
        Description="NFS",
        TagSpecifications=[{"ResourceType": "security-group", "Tags": owner}],
    )


def everything(project: str, environment: str) -> None:
    """One of each kind."""
    name = f"{project}-{environment}"
    endpoint(name)
    function(f"{name}-inference")
    key(name)
    instance(project, environment)
    network(project, environment)
    notebooks(project, environment)
    client("s3", REGION).create_bucket(Bucket=f"{name}-123456789012-{REGION}")
    client("logs", REGION).create_log_group(logGroupName=f"/aws/lambda/{name}-inference")
    client("logs", REGION).create_log_group(logGroupName=f"/{project}/{environment}/ec2")
    client("cloudwatch", REGION).put_metric_alarm(
        AlarmName=f"TargetTracking-endpoint/{name}/variant/a-AlarmHigh",
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
    )
    client("sagemaker", REGION).create_model_package_group(ModelPackageGroupName=name)
    client("ssm", REGION).put_parameter(
        Name=f"/{project}/{environment}/foundation", Value="{}", Type="String"
    )


def test_an_empty_account_has_nothing_left(dev):
    client("logs", REGION).create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")  # everybody's
    assert teardown.sweep(dev) == []


@pytest.fixture(autouse=True)
def _applications(monkeypatch):
    """moto itself lists none: one of somebody's in every domain."""
    app = studio.App("d-1", ("UserProfileName", "somebody"), "JupyterLab", "mine", "InService")
    monkeypatch.setattr(studio, "apps", lambda settings, domain: [app])


def test_each_kind_of_leftover_is_found(dev):
    everything("image-classifier", "dev")
    found = teardown.sweep(dev)
    assert sorted({x.kind for x in found}) == [
        "Elastic IP address",
        "KMS key",
        "NAT gateway",
        "Studio application",
        "Studio domain",
        "VPC",
        "VPC endpoint",
        "alarm",
        "bucket",
        "endpoint",
        "endpoint configuration",
        "file system of Studio",
        "function",
        "instance",
        "log group",
        "model",
        "model package group",
        "notebook instance",
        "parameter",
        "role",
        "scalable target",
        "security group of Studio",
    ]
    assert sorted(x.name for x in found if x.kind == "log group") == [
        "/aws/lambda/image-classifier-dev-inference",
        "/image-classifier/dev/ec2",
    ]
    assert {x.kind for x in found if x.billable} == {
        "Elastic IP address",
        "KMS key",
        "NAT gateway",
        "Studio application",
        "VPC endpoint",
        "alarm",
        "bucket",
        "endpoint",
        "file system of Studio",
        "instance",
        "log group",
        "notebook instance",
    }


@pytest.mark.parametrize(
    ("project", "environment"),
    [("image-classifier", "dev2"), ("image-classifier", "prod"), ("my-image-classifier", "dev")],
)
def test_what_is_of_another_environment_is_not_ours(dev, project, environment):
    everything(project, environment)
    assert teardown.sweep(dev) == []


def test_a_key_that_waits_for_its_deletion_costs_nothing(dev):
    client("kms", REGION).schedule_key_deletion(KeyId=key("image-classifier-dev"), PendingWindowInDays=7)
    assert teardown.sweep(dev) == []


def test_a_terminated_instance_is_gone(dev):
    made = instance("image-classifier", "dev")
    (found,) = teardown.sweep(dev)
    assert (found.kind, found.name) == ("instance", f"image-classifier-dev {made}")
    client("ec2", REGION).terminate_instances(InstanceIds=[made])
    assert teardown.sweep(dev) == []


def test_parts_of_a_network_that_are_being_deleted_are_gone(dev):
    endpoint, gateway = network("image-classifier", "dev")
    client("ec2", REGION).delete_nat_gateway(NatGatewayId=gateway)
    client("ec2", REGION).delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert sorted(x.kind for x in teardown.sweep(dev)) == ["Elastic IP address", "VPC"]


def test_the_end_of_an_endpoint_is_waited_for(dev, monkeypatch):
    teardown.wait_for_endpoint(dev, "image-classifier-dev")  # gone already
    sagemaker, pauses = client("sagemaker", REGION), []
    endpoint("image-classifier-dev")

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            sagemaker.delete_endpoint(EndpointName="image-classifier-dev")

    monkeypatch.setattr("botocore.waiter.time.sleep", pause)
    teardown.wait_for_endpoint(dev, "image-classifier-dev")
    assert pauses == [5, 5, 5]
    endpoint("image-classifier-dev-multi")
    with pytest.raises(OperatorError, match="image-classifier-dev-multi is not gone"):
        teardown.wait_for_endpoint(dev, "image-classifier-dev-multi")


def hold(settings, key: str, body: bytes) -> None:
    client("s3", REGION).put_object(Bucket=stacks.ensure_state_bucket(settings), Key=key, Body=body)


def test_a_foundation_that_carries_an_endpoint_stays(dev):
    for name in ("image-classifier-dev", "image-classifier-dev-multi"):
        hold(dev, f"dev/serving/{name}.tfstate", b'{"resources": [{}]}')
    with pytest.raises(
        OperatorError, match=r"dev carries image-classifier-dev-multi: run \./inv down --env dev"
    ):
        teardown.check_foundation(dev, going=["image-classifier-dev"])
    teardown.check_foundation(dev, going=["image-classifier-dev", "image-classifier-dev-multi"])


def test_a_foundation_that_carries_a_host_or_a_workbench_stays(dev):
    for name in ("foundation", "training_host", "workbench"):
        hold(dev, f"dev/{name}.tfstate", b'{"resources": [{}]}')
    with pytest.raises(
        OperatorError,
        match=r"carries training_host, workbench: .* first \./inv ec2\.down --env dev "
        r"and \./inv workbench\.down --env dev\.$",
    ):
        teardown.check_foundation(dev, going=[])
    with pytest.raises(
        OperatorError, match=r"carries workbench: .* first \./inv workbench\.down --env dev\.$"
    ):
        teardown.check_foundation(dev, going=["training_host"])
    teardown.check_foundation(dev, going=["training_host", "workbench"])


def test_data_that_the_environment_keeps_is_refused_before_anything_goes(dev):
    prod, s3 = environments.load("prod"), client("s3", REGION)
    teardown.check_foundation(prod, going=[])  # no bucket yet
    bucket = stacks.data_bucket(prod)
    s3.create_bucket(Bucket=bucket)
    teardown.check_foundation(prod, going=[])  # nor anything in it
    s3.put_object(Bucket=bucket, Key="datasets/current.json")
    with pytest.raises(OperatorError, match=f"{bucket} holds data .*prod.toml .* force_destroy = true"):
        teardown.check_foundation(prod, going=[])
    teardown.check_foundation(dev, going=[])


def test_the_data_bucket_is_emptied_of_all_versions(dev):
    teardown.empty_bucket(dev)  # none yet
    s3, bucket = client("s3", REGION), stacks.data_bucket(dev)
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "a", "b"):
        s3.put_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key="b")
    teardown.empty_bucket(dev)
    assert s3.list_object_versions(Bucket=bucket).keys() & {"Versions", "DeleteMarkers"} == set()


def test_every_model_version_is_deleted(dev, monkeypatch):
    """moto itself deletes no model package."""
    real, deleted = client("sagemaker", REGION), []
    real.create_model_package_group(ModelPackageGroupName=dev.prefix)
    arns = [real.create_model_package(ModelPackageGroupName=dev.prefix)["ModelPackageArn"] for _ in range(3)]
    monkeypatch.setattr(
        real, "delete_model_package", lambda ModelPackageName: deleted.append(ModelPackageName)
    )
    assert teardown.delete_models(dev) == 3
    assert sorted(deleted) == sorted(arns)


def test_without_a_model_package_group_there_is_no_model(dev):
    assert teardown.delete_models(dev) == 0


def test_the_state_bucket_goes_with_the_last_environment(dev):
    prod = environments.load("prod")
    bucket, s3 = stacks.ensure_state_bucket(dev), client("s3", REGION)
    for environment in ("dev", "dev", "prod"):  # twice: a second version
        s3.put_object(Bucket=bucket, Key=f"{environment}/foundation.tfstate", Body=b"{}")
    s3.delete_object(Bucket=bucket, Key="prod/foundation.tfstate")  # leaves a marker above the version

    teardown.delete_states(dev)
    kept = s3.list_object_versions(Bucket=bucket)
    assert {v["Key"] for v in [*kept["Versions"], *kept["DeleteMarkers"]]} == {"prod/foundation.tfstate"}
    teardown.delete_states(prod)
    assert not stacks.has_state(dev)
    teardown.delete_states(prod)  # nothing there: nothing to do


def test_stack_access_stays_while_roles_are_made_within_its_boundary(dev):
    bucket, s3 = stacks.ensure_state_bucket(dev), client("s3", REGION)
    state = {"Bucket": bucket, "Key": "dev/foundation.tfstate"}
    s3.put_object(**state, Body=b'{"resources": [{"type": "aws_iam_role"}]}')
    with pytest.raises(OperatorError, match=r"the roles of foundation: run \./inv down --env dev first"):
        teardown.check_access(dev)
    s3.put_object(**state, Body=b'{"resources": []}')
    teardown.check_access(dev)


def test_states_of_stack_access_and_of_the_environment_go_apart(dev):
    bucket, s3 = stacks.ensure_state_bucket(dev), client("s3", REGION)
    for key in ("dev/foundation.tfstate", stacks.access_key(dev)):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    teardown.delete_states(dev)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["_access/dev.tfstate"]
    teardown.delete_states(dev, access=True)
    assert not stacks.has_state(dev)


def test_the_roles_of_stack_access_are_no_leftovers(dev):
    for path in ("/", stacks.ACCESS_PATH):
        client("iam", REGION).create_role(
            RoleName=f"image-classifier-dev-{'operator' if path != '/' else 'training'}",
            Path=path,
            AssumeRolePolicyDocument='{"Statement": []}',
        )
    assert [left.name for left in teardown.sweep(dev) if left.kind == "role"] == [
        "image-classifier-dev-training"
    ]
