"""Leftovers: each kind is found, and only this environment's."""

import io
import json
import zipfile

import pytest

from ops.terraform import stacks
from pipeline import leftovers
from pipeline.workbench import studio

pytestmark = pytest.mark.usefixtures("moto_aws")
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/service"


def endpoint(dev, name: str) -> None:
    sagemaker = dev.client("sagemaker")
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
    dev.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{name}/variant/a",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )


def function(dev, name: str) -> None:
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    }
    role = dev.client("iam").create_role(
        RoleName=f"{name}-function", AssumeRolePolicyDocument=json.dumps(trust)
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("handler.py", "")
    dev.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
    )


def key(dev, name: str) -> str:
    created = dev.client("kms").create_key()["KeyMetadata"]["KeyId"]
    dev.client("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=created)
    return created


def instance(dev, project: str, environment: str) -> str:
    tags = [{"Key": "Project", "Value": project}, {"Key": "Environment", "Value": environment}]
    ec2 = dev.client("ec2")
    made = ec2.run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    return made["Instances"][0]["InstanceId"]


def network(dev, project: str, environment: str) -> tuple[str, str]:
    """Create a VPC with an endpoint, a NAT gateway and its address. Returns the ids of endpoint and gateway."""
    tags = [{"Key": "Project", "Value": project}, {"Key": "Environment", "Value": environment}]

    def tagged(kind: str) -> dict:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}

    ec2 = dev.client("ec2")
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


def notebooks(dev, project: str, environment: str) -> None:
    """Create a notebook instance, and a Studio domain with its file system."""
    name, sagemaker = f"{project}-{environment}-workbench", dev.client("sagemaker")
    sagemaker.create_notebook_instance(NotebookInstanceName=name, InstanceType="ml.t2.medium", RoleArn=ROLE)
    domain = sagemaker.create_domain(
        DomainName=name,
        AuthMode="IAM",
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
        DefaultUserSettings={"ExecutionRole": ROLE},
    )
    owner = [{"Key": studio.OWNER_TAG, "Value": domain["DomainArn"]}]
    dev.client("efs").create_file_system(CreationToken=name, Tags=owner)
    dev.client("ec2").create_security_group(
        GroupName=f"security-group-for-inbound-nfs-{name}",
        Description="NFS",
        TagSpecifications=[{"ResourceType": "security-group", "Tags": owner}],
    )


def everything(dev, project: str, environment: str) -> None:
    """Create a resource of each kind."""
    name = f"{project}-{environment}"
    endpoint(dev, name)
    function(dev, f"{name}-inference")
    key(dev, name)
    instance(dev, project, environment)
    network(dev, project, environment)
    notebooks(dev, project, environment)
    dev.client("s3").create_bucket(Bucket=f"{name}-123456789012-{REGION}")
    dev.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}-inference")
    dev.client("logs").create_log_group(logGroupName=f"/{project}/{environment}/ec2")
    dev.client("cloudwatch").put_metric_alarm(
        AlarmName=f"TargetTracking-endpoint/{name}/variant/a-AlarmHigh",
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
    )
    dev.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    dev.client("ssm").put_parameter(Name=f"/{project}/{environment}/foundation", Value="{}", Type="String")


def test_an_empty_account_has_no_leftovers(dev):
    dev.client("logs").create_log_group(
        logGroupName="/aws/sagemaker/TrainingJobs"
    )  # shared by all environments
    assert leftovers.find(dev) == []


def test_each_kind_of_leftover_is_found(dev):
    everything(dev, "image-classifier", "dev")
    found = leftovers.find(dev)
    assert sorted({x.kind for x in found}) == sorted(
        [
            "Elastic IP address",
            "KMS alias",
            "KMS key",
            "NAT gateway",
            "Studio domain",
            "VPC",
            "VPC endpoint",
            "alarm",
            "bucket",
            "endpoint",
            "endpoint configuration",
            "file system",
            "function",
            "instance",
            "log group",
            "model",
            "model package group",
            "network interface",
            "notebook instance",
            "parameter",
            "role",
            "scalable target",
            "security group",
            "subnet",
        ]
    )
    assert sorted(x.name for x in found if x.kind == "log group") == [
        "/aws/lambda/image-classifier-dev-inference",
        "/image-classifier/dev/ec2",
    ]
    assert {x.kind for x in found if x.billable} == {
        "Elastic IP address",
        "KMS key",
        "NAT gateway",
        "VPC endpoint",
        "alarm",
        "endpoint",
        "instance",
        "notebook instance",
    }


@pytest.mark.parametrize(
    ("project", "environment"),
    [("image-classifier", "dev2"), ("image-classifier", "prod"), ("my-image-classifier", "dev")],
)
def test_resources_of_other_environments_are_no_leftovers(dev, project, environment):
    everything(dev, project, environment)
    assert leftovers.find(dev) == []


def test_a_key_pending_deletion_is_no_leftover(dev):
    dev.client("kms").schedule_key_deletion(KeyId=key(dev, "image-classifier-dev"), PendingWindowInDays=7)
    assert [found.kind for found in leftovers.find(dev)] == ["KMS alias"]


def test_a_terminated_instance_is_no_leftover(dev):
    made = instance(dev, "image-classifier", "dev")
    (found,) = leftovers.find(dev)
    assert (found.kind, found.name) == ("instance", made)
    dev.client("ec2").terminate_instances(InstanceIds=[made])
    assert leftovers.find(dev) == []


def test_network_resources_being_deleted_are_no_leftovers(dev):
    endpoint, gateway = network(dev, "image-classifier", "dev")
    dev.client("ec2").delete_nat_gateway(NatGatewayId=gateway)
    dev.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    kinds = {x.kind for x in leftovers.find(dev)}
    assert {"Elastic IP address", "VPC"} <= kinds
    assert not kinds & {"NAT gateway", "VPC endpoint"}


def test_the_roles_of_stack_access_are_no_leftovers(dev):
    for path in ("/", stacks.ACCESS_PATH):
        dev.client("iam").create_role(
            RoleName=f"image-classifier-dev-{'operator' if path != '/' else 'training'}",
            Path=path,
            AssumeRolePolicyDocument='{"Statement": []}',
        )
    assert [left.name for left in leftovers.find(dev) if left.kind == "role"] == [
        "image-classifier-dev-training"
    ]


def test_an_endpoint_of_any_name_with_our_tags_is_found_with_its_cost(dev):
    endpoint(dev, "experiment")
    arn = dev.client("sagemaker").describe_endpoint(EndpointName="experiment")["EndpointArn"]
    assert leftovers.find(dev) == []
    tags = [{"Key": "Project", "Value": "image-classifier"}, {"Key": "Environment", "Value": "dev"}]
    dev.client("sagemaker").add_tags(ResourceArn=arn, Tags=tags)
    (found,) = leftovers.find(dev)
    assert (found.kind, found.name, found.managed, found.billable) == ("endpoint", "experiment", False, True)
    assert found.monthly == pytest.approx(0.115 * 730)
    terraform = [{"Key": "ManagedBy", "Value": "terraform"}]
    dev.client("sagemaker").add_tags(ResourceArn=arn, Tags=terraform)
    assert [item.managed for item in leftovers.find(dev)] == [True]
    assert leftovers.cost([found, found]) == "167.90 USD a month"
