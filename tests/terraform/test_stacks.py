"""Both stacks on the embedded AWS: applied, found unchanged, updated, destroyed to the last resource."""

import hashlib
import io
import json
import tarfile
import threading
import zipfile

import pytest
from botocore.exceptions import ClientError

from ops import endpoint_history
from ops import settings as environments
from ops.terraform import stack as terraform
from ops.terraform.stack import Stack

pytestmark = pytest.mark.slow

PREFIX = "stacks-test"
REGION = "us-east-1"
COMMON = {"project": "stacks", "environment": "test", "region": REGION}
SETTINGS = environments.load("local").model_copy(update=COMMON)
APP = """
from fastapi import FastAPI
from ray import serve

asgi = FastAPI()

@asgi.post("/")
async def predict():
    return {"predictions": []}

@serve.deployment
@serve.ingress(asgi)
class Classifier:
    pass

app = Classifier.bind()
"""


@pytest.fixture(scope="module")
def aws(fresh_embedded_aws, tmp_path_factory):
    """The embedded AWS, with Terraform pointed at it and a bucket for its states."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fresh_embedded_aws.credentials.items():
            patch.setenv(name, value)
        patch.setattr(terraform, "WORK", tmp_path_factory.mktemp("terraform"))
        fresh_embedded_aws.client("s3").create_bucket(Bucket=f"{PREFIX}-state")
        yield fresh_embedded_aws


@pytest.fixture(autouse=True)
def _in_reach(_no_real_account, aws, monkeypatch):
    """Every test loses its AWS_ variables first, those that the module set included."""
    for name, value in aws.credentials.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def foundation(aws):
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
            "logs": {"retention_days": 7, "manage_training_group": True},
            "boundary_arn": "",
        },
    )
    stack.up()
    return stack


@pytest.fixture(scope="module")
def handover(aws, foundation) -> dict:
    return read(aws, "foundation")


def read(aws, stack: str) -> dict:
    parameter = aws.client("ssm").get_parameter(Name=f"/stacks/test/{stack}")
    return json.loads(parameter["Parameter"]["Value"])


def register(aws, handover, app: str = APP) -> str:
    """The ARN of a new model version, of a model that answers with no class at all."""
    content, archive = app.encode(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/app.py")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    key = f"training/{hashlib.sha256(content).hexdigest()[:8]}/output/model.tar.gz"
    aws.client("s3").put_object(Bucket=handover["bucket"], Key=key, Body=archive.getvalue())
    container = {
        "Image": f"763104351884.dkr.ecr.{REGION}.amazonaws.com/ray:serve-ml-sagemaker-cpu-v1",
        "ModelDataUrl": f"s3://{handover['bucket']}/{key}",
        "Environment": {"SM_RAYSERVE_APP": "app:app"},
    }
    return aws.client("sagemaker").create_model_package(
        ModelPackageGroupName=handover["model_package_group_name"],
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )["ModelPackageArn"]


def serving(model_package_arn: str, zip_path, **variables) -> Stack:
    return Stack(
        root="serving",
        key=f"serving/{PREFIX}.tfstate",
        state_bucket=f"{PREFIX}-state",
        region=REGION,
        variables={
            **COMMON,
            "endpoint_name": PREFIX,
            "model_package_arn": model_package_arn,
            "deployment": {"termination_wait_seconds": 0},
            "deployed": endpoint_history.deployed(SETTINGS, PREFIX),
            "boundary_arn": "",
            "hosting": {"instance": {"type": "ml.m5.large"}},
            "lambda": {
                "zip_path": str(zip_path),
                "dead_letter_queue": False,  # Terraform waits a minute for one
                "tracing": True,
                "allowed_url_hosts": [],
            },
            **variables,
        },
    )


def write_function(path, answer: str):
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("handler.py", f"def handler(event, context):\n    return {answer!r}\n")
    return path


def test_second_plan_of_the_foundation_is_empty(foundation):
    assert foundation.plan().changes == ()


def test_bucket_is_private_encrypted_and_versioned(aws, handover):
    s3, bucket = aws.client("s3"), handover["bucket"]
    assert bucket == f"{PREFIX}-{handover['account_id']}-{REGION}"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4 and all(blocked.values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == handover["kms_key_arn"]
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
def test_an_object_with_another_encryption_is_refused(aws, handover, encryption):
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("s3").put_object(Bucket=handover["bucket"], Key="datasets/x", Body=b"x", **encryption)


def test_containers_get_a_network_without_internet(aws, handover):
    ec2, network = aws.client("ec2"), handover["network"]
    in_vpc = {"Filters": [{"Name": "vpc-id", "Values": [network["vpc_id"]]}]}
    routes = [r for table in ec2.describe_route_tables(**in_vpc)["RouteTables"] for r in table["Routes"]]
    # Within the VPC, and to S3 by its gateway endpoint.
    assert {route.get("DestinationCidrBlock") for route in routes} <= {"10.40.0.0/20", None}
    subnets = ec2.describe_subnets(**in_vpc)["Subnets"]
    assert {subnet["SubnetId"] for subnet in subnets} == set(network["subnet_ids"])
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(**in_vpc)["SecurityGroups"]}
    assert groups["default"]["IpPermissions"] == groups["default"]["IpPermissionsEgress"] == []
    ranges = [r for g in groups.values() for p in g["IpPermissionsEgress"] for r in p["IpRanges"]]
    assert ranges == []  # out to named groups and S3's prefix list only
    endpoints = ec2.describe_vpc_endpoints(**in_vpc)["VpcEndpoints"]
    assert len(endpoints) == 12
    for endpoint in endpoints:
        assert handover["account_id"] in endpoint["PolicyDocument"], endpoint["ServiceName"]


def test_everything_carries_the_tags(aws, handover):
    tags = aws.client("sagemaker").list_tags(ResourceArn=handover["model_package_group_arn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "Project": "stacks",
        "Environment": "test",
        "ManagedBy": "terraform",
        "Stack": "foundation",
    }


class Callers:
    """Asks the endpoint all the time, and looks how many instances it has."""

    def __init__(self, aws):
        self.answers, self.failures, self.fewest = 0, [], 99
        self._runtime, self._sagemaker = aws.client("sagemaker-runtime"), aws.client("sagemaker")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(0.1):
            try:
                self._runtime.invoke_endpoint(EndpointName=PREFIX, Body=b"picture")
            except ClientError as error:
                self.failures.append(str(error))
            self.answers += 1
            (variant,) = self._sagemaker.describe_endpoint(EndpointName=PREFIX)["ProductionVariants"]
            self.fewest = min(self.fewest, variant["CurrentInstanceCount"])


def test_serving_is_applied_updated_and_destroyed(aws, handover, tmp_path, until):
    sagemaker = aws.client("sagemaker")
    package = write_function(tmp_path / "function.zip", "first")
    models = [
        register(aws, handover),
        register(aws, handover),
        register(aws, handover, "raise SystemExit(1)"),
    ]
    stack = serving(models[0], package)
    stack.up()
    assert serving(models[0], package).plan().changes == ()
    first = read(aws, f"serving/{PREFIX}")
    assert invoke(aws, first) == "first"
    model = sagemaker.describe_model(ModelName=sagemaker.list_models()["Models"][0]["ModelName"])
    assert model["EnableNetworkIsolation"]
    assert model["VpcConfig"]["SecurityGroupIds"] == handover["network"]["serving_security_group_ids"]

    # Scaled out, which no plan takes for a change; a new model and new code start with as many.
    wanted = {"VariantName": "AllTraffic", "DesiredInstanceCount": 3}
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=PREFIX, DesiredWeightsAndCapacities=[wanted]
    )
    until(lambda: live(aws)["EndpointStatus"] == "InService")
    write_function(package, "second")
    with Callers(aws) as callers:
        serving(models[1], package).up()
    assert (callers.failures, callers.fewest) == ([], 3)
    assert callers.answers > 5
    second = read(aws, f"serving/{PREFIX}")
    assert invoke(aws, second) == "second"
    assert live(aws)["EndpointConfigName"] == second["endpoint_config_name"] != first["endpoint_config_name"]

    # A model that does not come up: Terraform says it has applied it. What serves is all there.
    serving(models[2], package).up()
    assert live(aws)["EndpointConfigName"] == second["endpoint_config_name"]
    assert {first["endpoint_config_name"], second["endpoint_config_name"]} < set(configurations(aws))
    assert endpoint_history.previous_package(SETTINGS, PREFIX) == models[1]

    # Back to the first model, on another instance type while the old one is registered to scale.
    c5 = {"hosting": {"instance": {"type": "ml.c5.large"}}}
    with Callers(aws) as callers:
        serving(models[0], package, **c5).up()
    assert (callers.failures, callers.fewest) == ([], 3)
    assert serving(models[0], package, **c5).plan().changes == ()
    assert (
        sagemaker.describe_endpoint_config(EndpointConfigName=live(aws)["EndpointConfigName"])[
            "ProductionVariants"
        ][0]["InstanceType"]
        == "ml.c5.large"
    )
    assert len(configurations(aws)) == 3  # of the broken model nothing is left
    assert endpoint_history.previous_package(SETTINGS, PREFIX) == models[1]
    scaling = aws.client("application-autoscaling")
    assert len(scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]) == 1

    serving(models[0], package, **c5).down()
    until(lambda: left_of_serving(aws) == [])  # the provider does not wait for the endpoint's end


def test_foundation_is_destroyed_with_all_versions_of_its_objects(aws, foundation, handover):
    s3, sagemaker = aws.client("s3"), aws.client("sagemaker")
    for body in (b"old", b"new"):
        s3.put_object(Bucket=handover["bucket"], Key="datasets/a", Body=body)
    s3.delete_object(Bucket=handover["bucket"], Key="datasets/a")
    packages = sagemaker.list_model_packages(ModelPackageGroupName=handover["model_package_group_name"])
    for package in packages["ModelPackageSummaryList"]:  # a group with versions in it cannot be deleted
        sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])

    foundation.down()

    assert handover["bucket"] not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    roles = aws.client("iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles if role["RoleName"].startswith(PREFIX)] == []
    assert aws.client("kms").describe_key(KeyId=handover["kms_key_arn"])["KeyMetadata"]["KeyState"] == (
        "PendingDeletion"
    )
    vpcs = aws.client("ec2").describe_vpcs(Filters=[{"Name": "tag:Project", "Values": ["stacks"]}])["Vpcs"]
    assert vpcs == []


def invoke(aws, handover):
    answer = aws.client("lambda").invoke(
        FunctionName=handover["function_name"], Qualifier=handover["function_alias"], Payload=b"{}"
    )
    return json.loads(answer["Payload"].read())


def live(aws) -> dict:
    return aws.client("sagemaker").describe_endpoint(EndpointName=PREFIX)


def configurations(aws) -> list[str]:
    return [
        c["EndpointConfigName"] for c in aws.client("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    ]


def left_of_serving(aws) -> list[str]:
    sagemaker = aws.client("sagemaker")
    names = [item["EndpointName"] for item in sagemaker.list_endpoints()["Endpoints"]]
    names += [item["EndpointConfigName"] for item in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    names += [item["ModelName"] for item in sagemaker.list_models()["Models"]]
    names += [item["FunctionName"] for item in aws.client("lambda").list_functions()["Functions"]]
    targets = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    names += [item["ResourceId"] for item in targets["ScalableTargets"]]
    return [name for name in names if PREFIX in name]
