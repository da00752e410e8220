"""An environment with its roles on the embedded AWS, next to foreign resources that the roles may not use."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

from botocore.exceptions import ClientError

POLICIES = Path(__file__).parents[2] / "policies"
ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLES = {
    "training": "training",
    "processing": "processing",
    "tuning": "tuning",
    "endpoint": "endpoint",
    "inference": "inference_function",
    "ec2-host": "ec2_host",
    "workbench": "workbench",
    "operator": "operator",
    "ci-plan": "ci_plan",
    "ci-apply": "ci_apply",
}
APPLYING = {"operator", "ci-apply"}  # roles that also have the policies in policies/stacks
ON_DEMAND = {"sweep", "training_host", "workbench"}  # policies that CI does not have
REFUSED = {"s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied", "ec2": "UnauthorizedOperation"}
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ANYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
ANYBODY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)
STRANGER = f"arn:aws:iam::{ACCOUNT}:role/stranger"


class Account:
    """An environment with its roles and resources, and foreign resources in the same account."""

    def __init__(self, embedded_aws):
        self._aws = embedded_aws
        self.prefix = f"p{uuid.uuid4().hex[:8]}-dev"
        self.other = f"{self.prefix}-not"[1:]  # with another start and end
        self.project = self.prefix.removesuffix("-dev")
        s3, kms = embedded_aws.client("s3"), embedded_aws.client("kms")
        self.bucket, self.state_bucket = f"{self.prefix}-data", f"{self.project}-tfstate"
        for bucket in (self.bucket, self.state_bucket, self.other):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="datasets/1.png", Body=b"x")
        tags = [{"TagKey": "Project", "TagValue": self.project}, {"TagKey": "Environment", "TagValue": "dev"}]
        self.key, self.other_key = (kms.create_key(Tags=t)["KeyMetadata"]["KeyId"] for t in (tags, []))
        self.secret = kms.encrypt(KeyId=self.key, Plaintext=b"s", EncryptionContext={"of": "another"})[
            "CiphertextBlob"
        ]
        self._values = {
            **json.loads((POLICIES / "checks" / "values.json").read_text()),
            "account_id": ACCOUNT,
            "boundary_arn": f"arn:aws:iam::{ACCOUNT}:policy/access/{self.prefix}-boundary",
            "bucket_arn": f"arn:aws:s3:::{self.bucket}",
            "endpoint_arn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{self.prefix}",
            "environment": "dev",
            "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{self.key}",
            "prefix": self.prefix,
            "project": self.project,
            "region": REGION,
            "state_bucket_arn": f"arn:aws:s3:::{self.state_bucket}",
            "processing_role_arn": self.role("processing"),
            "training_role_arn": self.role("training"),
            "tuning_role_arn": self.role("tuning"),
        }
        self.boundary = embedded_aws.client("iam").create_policy(
            PolicyName=f"{self.prefix}-boundary", Path="/access/", PolicyDocument=self._render("boundary")
        )["Policy"]["Arn"]
        for name, document in ROLES.items():
            self._create_role(name, document)
        self._create_hosts(tags)
        self._create_foreign_studio()
        self._clients: dict[tuple[str, str], Any] = {}

    def role(self, name: str) -> str:
        """Return the ARN of a role of the environment."""
        path = "access/" if name in ("operator", "ci-plan", "ci-apply") else ""
        return f"arn:aws:iam::{ACCOUNT}:role/{path}{self.prefix}-{name}"

    def client(self, role: str, service: str) -> Any:
        """Return a client with the credentials of a role."""
        if (role, service) not in self._clients:
            keys = self._aws.client("sts").assume_role(RoleArn=self.role(role), RoleSessionName="forbidden")
            self._clients[role, service] = self._aws.client(
                service,
                aws_access_key_id=keys["Credentials"]["AccessKeyId"],
                aws_secret_access_key=keys["Credentials"]["SecretAccessKey"],
                aws_session_token=keys["Credentials"]["SessionToken"],
            )
        return self._clients[role, service]

    def _create_hosts(self, tags: list[dict[str, str]]) -> None:
        """Create the resources of a host, and foreign ones: subnet, security group, instance."""
        ec2, iam = self._aws.client("ec2"), self._aws.client("iam")
        own = [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in tags]
        foreign = [{"Key": "Project", "Value": self.other}, {"Key": "Environment", "Value": "dev"}]
        for name, role in (("ec2-host", "ec2-host"), ("training", "training")):
            profile = {"InstanceProfileName": f"{self.prefix}-{name}"}
            iam.create_instance_profile(**profile)
            iam.add_role_to_instance_profile(**profile, RoleName=f"{self.prefix}-{role}")
        dlami = [{"Name": "name", "Values": ["Deep Learning*"]}]
        self.image = ec2.describe_images(Owners=["amazon"], Filters=dlami)["Images"][0]["ImageId"]
        vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        self.subnets, self.groups = [], []
        for number, owner in enumerate((own, foreign)):
            subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24")["Subnet"]["SubnetId"]
            group = ec2.create_security_group(
                GroupName=f"{self.prefix}-{number}", Description="d", VpcId=vpc
            )["GroupId"]
            ec2.create_tags(Resources=[subnet, group], Tags=owner)
            self.subnets.append(subnet)
            self.groups.append(group)
        self.vpc = vpc
        ec2.create_tags(Resources=[vpc], Tags=foreign)
        self.other_instance = ec2.run_instances(
            ImageId=self.image,
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[1],
            TagSpecifications=[{"ResourceType": "instance", "Tags": foreign}],
        )["Instances"][0]["InstanceId"]

    def host(self, **changes: Any) -> dict[str, Any]:
        """Return arguments of run_instances that the policies allow, with changes."""
        tags = [{"Key": "Project", "Value": self.project}, {"Key": "Environment", "Value": "dev"}]
        return {
            "ImageId": self.image,
            "InstanceType": "t3.medium",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": self.subnets[0],
            "SecurityGroupIds": [self.groups[0]],
            "IamInstanceProfile": {"Name": f"{self.prefix}-ec2-host"},
            "MetadataOptions": {"HttpTokens": "required"},
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeSize": 45}}
            ],
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
            **changes,
        }

    def _create_foreign_studio(self) -> None:
        """Create a foreign Studio domain."""
        self.other_domain = (
            self._aws.client("sagemaker")
            .create_domain(
                DomainName=f"{self.other}-workbench",
                AuthMode="IAM",
                VpcId="vpc-1",
                SubnetIds=["subnet-1"],
                DefaultUserSettings={"ExecutionRole": self.role("training")},
                Tags=[{"Key": "Project", "Value": self.other}, {"Key": "Environment", "Value": "dev"}],
            )["DomainArn"]
            .rpartition("/")[2]
        )

    def _create_role(self, name: str, document: str) -> None:
        """Create a role with its policies."""
        iam, full = self._aws.client("iam"), f"{self.prefix}-{name}"
        trusted = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        of_access = "/access/" in self.role(name)
        bounded = {} if of_access else {"PermissionsBoundary": self.boundary}
        iam.create_role(
            RoleName=full,
            Path="/access/" if of_access else "/",
            **bounded,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
        )
        iam.put_role_policy(RoleName=full, PolicyName=full, PolicyDocument=self._render(f"roles/{document}"))
        areas = {path.stem for path in (POLICIES / "stacks").glob("*.json")} if name in APPLYING else set()
        for area in sorted(areas - (ON_DEMAND if name == "ci-apply" else set())):
            text = self._render(f"stacks/{area}")
            policy = iam.create_policy(PolicyName=f"{full}-{area}", PolicyDocument=text)["Policy"]["Arn"]
            iam.attach_role_policy(RoleName=full, PolicyArn=policy)

    def _render(self, document: str) -> str:
        return Template((POLICIES / f"{document}.json").read_text()).substitute(self._values)


Act = tuple[str, str, Callable[[Account], dict[str, Any]]]
"""Service, operation and arguments of a request."""


def package() -> bytes:
    """Return a zip for a Lambda function."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "")
    return content.getvalue()


def job(name: str, role: str) -> dict[str, Any]:
    """Return arguments of create_training_job."""
    return {
        "TrainingJobName": name,
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://anywhere/x"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def data_job(name: str, role: str) -> dict[str, Any]:
    """Return the request for a processing job."""
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    return {
        "ProcessingJobName": name,
        "RoleArn": role,
        "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["true"]},
        "ProcessingResources": {"ClusterConfig": cluster},
    }


def function(name: str, role: str) -> dict[str, Any]:
    """Return arguments of create_function."""
    code = {"ZipFile": package()}
    return {"FunctionName": name, "Role": role, "Runtime": "python3.12", "Handler": "handler.f", "Code": code}


def approve(account: Account) -> dict[str, Any]:
    """Return arguments of update_model_package that approve a model."""
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{account.prefix}/1"
    return {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}


def attempt(account: Account, role: str, act: Act) -> str:
    """Send a request with the credentials of a role. Return the error code, or OK."""
    service, operation, arguments = act
    client = account.client(role, service)
    try:
        getattr(client, operation)(**arguments(account))
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"
