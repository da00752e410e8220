"""An endpoint with its stack on an embedded AWS, small models for it, and callers."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from pathlib import Path

from botocore.exceptions import ClientError

from ops import endpoint_history
from ops import settings as environments
from ops.environment import Environment
from ops.terraform.stack import Stack

REGION = "us-east-1"
PREFIX = "serve-test"
COMMON = {"project": "serve", "environment": "test", "region": REGION}
SETTINGS = environments.load("local").model_copy(update=COMMON)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
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
BROKEN = "raise SystemExit(1)"


def make_foundation(aws) -> dict:
    """Make the resources that serving reads. Return the outputs of the foundation, which name them."""
    client = aws.client
    account = client("sts").get_caller_identity()["Account"]
    role = client("iam").create_role(
        RoleName=f"{PREFIX}-endpoint", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    client("iam").put_role_policy(
        RoleName=f"{PREFIX}-endpoint", PolicyName="all", PolicyDocument=json.dumps(ALLOW)
    )
    for bucket in (f"{PREFIX}-data", f"{PREFIX}-state"):
        client("s3").create_bucket(Bucket=bucket)
    client("sagemaker").create_model_package_group(ModelPackageGroupName=PREFIX)
    vpc = client("ec2").create_vpc(CidrBlock="10.61.0.0/20")["Vpc"]["VpcId"]
    subnet = client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.61.0.0/24")["Subnet"]["SubnetId"]
    group = client("ec2").create_security_group(GroupName=PREFIX, Description="t", VpcId=vpc)["GroupId"]
    outputs = {
        "account_id": account,
        "bucket": f"{PREFIX}-data",
        "bucket_arn": f"arn:aws:s3:::{PREFIX}-data",
        "endpoint_role_arn": role["Role"]["Arn"],
        "kms_key_arn": client("kms").create_key()["KeyMetadata"]["Arn"],
        "network": {"subnet_ids": [subnet], "serving_security_group_ids": [group]},
        "topic_arn": client("sns").create_topic(Name=PREFIX)["TopicArn"],
    }
    client("ssm").put_parameter(Name="/serve/test/foundation", Type="String", Value=json.dumps(outputs))
    return outputs


class Endpoint:
    """An endpoint and its stack."""

    def __init__(self, aws, foundation: dict, name: str, package: Path):
        self.aws, self.foundation, self.name, self.package = aws, foundation, name, package
        self.sagemaker = aws.client("sagemaker")

    def stack(self, model_package_arn: str, **variables) -> Stack:
        return Stack(
            root="serving",
            key=f"serving/{self.name}.tfstate",
            state_bucket=f"{PREFIX}-state",
            region=REGION,
            variables={
                **COMMON,
                "endpoint_name": self.name,
                "model_package_arn": model_package_arn,
                "deployment": {"termination_wait_seconds": 0},
                "deployed": endpoint_history.deployed(Environment(SETTINGS), self.name),
                "boundary_arn": "",
                "hosting": {"instance": {"type": "ml.m5.large"}},
                "lambda": {
                    "zip_path": str(self.package),
                    "dead_letter_queue": False,  # Terraform waits a minute for one
                    "tracing": True,
                    "allowed_url_hosts": [],
                },
                **variables,
            },
        )

    def register(self, app: str = APP) -> str:
        """Register a model version. Return its ARN."""
        content, archive = app.encode(), io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo("code/app.py")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        key = f"training/{hashlib.sha256(content).hexdigest()[:8]}/output/model.tar.gz"
        self.aws.client("s3").put_object(Bucket=self.foundation["bucket"], Key=key, Body=archive.getvalue())
        container = {
            "Image": f"763104351884.dkr.ecr.{REGION}.amazonaws.com/ray:serve-ml-sagemaker-cpu-v1",
            "ModelDataUrl": f"s3://{self.foundation['bucket']}/{key}",
            "Environment": {"SM_RAYSERVE_APP": "app:app"},
        }
        return self.sagemaker.create_model_package(
            ModelPackageGroupName=PREFIX,
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["image/png"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )["ModelPackageArn"]

    def write_function(self, response: str) -> None:
        with zipfile.ZipFile(self.package, "w") as package:
            package.writestr("handler.py", f"def handler(event, context):\n    return {response!r}\n")

    def outputs(self) -> dict:
        parameter = self.aws.client("ssm").get_parameter(Name=f"/serve/test/serving/{self.name}")
        return json.loads(parameter["Parameter"]["Value"])

    def invoke_function(self) -> str:
        outputs = self.outputs()
        response = self.aws.client("lambda").invoke(
            FunctionName=outputs["function_name"], Qualifier=outputs["function_alias"], Payload=b"{}"
        )
        return json.loads(response["Payload"].read())

    def describe(self) -> dict:
        return self.sagemaker.describe_endpoint(EndpointName=self.name)

    def configurations(self) -> list[str]:
        listed = self.sagemaker.list_endpoint_configs(NameContains=self.name)["EndpointConfigs"]
        return [item["EndpointConfigName"] for item in listed]

    def scale_out(self, until) -> None:
        """Scale to three instances, as autoscaling does."""
        wanted = {"VariantName": "AllTraffic", "DesiredInstanceCount": 3}
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=self.name, DesiredWeightsAndCapacities=[wanted]
        )
        until(lambda: self.describe()["EndpointStatus"] == "InService")

    def scaling(self, kind: str) -> list[dict]:
        """Return the endpoint's ScalableTargets or ScalingPolicies."""
        scaling = self.aws.client("application-autoscaling")
        operation = {
            "ScalableTargets": "describe_scalable_targets",
            "ScalingPolicies": "describe_scaling_policies",
        }
        found = getattr(scaling, operation[kind])(ServiceNamespace="sagemaker")[kind]
        return [item for item in found if f"/{self.name}/" in item["ResourceId"]]

    def remaining(self) -> list[str]:
        """Return the names of the stack's resources that exist."""
        names = [item["EndpointName"] for item in self.sagemaker.list_endpoints()["Endpoints"]]
        names += [item["ModelName"] for item in self.sagemaker.list_models()["Models"]]
        functions = self.aws.client("lambda").list_functions()["Functions"]
        names += [item["FunctionName"] for item in functions]
        named = [name for name in names if name.startswith(self.name)]
        return named + self.configurations() + self.scaling("ScalableTargets")


class Callers:
    """Invokes the endpoint continuously, and records failures and the lowest number of instances."""

    def __init__(self, endpoint: Endpoint):
        self.responses, self.failures, self.fewest = 0, [], 99
        self._endpoint, self._runtime = endpoint, endpoint.aws.client("sagemaker-runtime")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._invoke)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _invoke(self) -> None:
        while not self._ended.wait(0.1):
            try:
                self._runtime.invoke_endpoint(EndpointName=self._endpoint.name, Body=b"image")
            except ClientError as error:
                self.failures.append(str(error))
            self.responses += 1
            (variant,) = self._endpoint.describe()["ProductionVariants"]
            self.fewest = min(self.fewest, variant["CurrentInstanceCount"])
