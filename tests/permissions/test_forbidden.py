"""What nobody may do, tried as each role on the embedded AWS with the policies as they are, and refused."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow

POLICIES = Path(__file__).parents[2] / "policies"
ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLES = {
    "training": "training",
    "tuning": "tuning",
    "endpoint": "endpoint",
    "inference": "inference_function",
    "ec2-host": "ec2_host",
    "workbench": "workbench",
    "operator": "operator",
    "ci-plan": "ci_plan",
    "ci-apply": "ci_apply",
}
APPLYING = {"operator", "ci-apply"}  # they have policies/stacks, too
BY_HAND = {"host", "workbench"}  # of these, what CI does not apply
REFUSED = {"s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied", "ec2": "UnauthorizedOperation"}


class Account:
    """An environment with its roles and what they are about, and one beside it that is none of their business."""

    def __init__(self, embedded_aws):
        self._aws = embedded_aws
        self.prefix = f"p{uuid.uuid4().hex[:8]}-dev"
        self.other = f"{self.prefix}-not"[1:]  # begins and ends otherwise
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
            "training_role_arn": self.role("training"),
            "tuning_role_arn": self.role("tuning"),
        }
        self.boundary = embedded_aws.client("iam").create_policy(
            PolicyName=f"{self.prefix}-boundary", Path="/access/", PolicyDocument=self._render("boundary")
        )["Policy"]["Arn"]
        for name, document in ROLES.items():
            self._make(name, document)
        self._start_host(tags)
        self._open_workbenches()
        self._clients: dict[tuple[str, str], Any] = {}

    def role(self, name: str) -> str:
        path = "access/" if name in ("operator", "ci-plan", "ci-apply") else ""
        return f"arn:aws:iam::{ACCOUNT}:role/{path}{self.prefix}-{name}"

    def client(self, role: str, service: str) -> Any:
        if (role, service) not in self._clients:
            keys = self._aws.client("sts").assume_role(RoleArn=self.role(role), RoleSessionName="forbidden")
            self._clients[role, service] = self._aws.client(
                service,
                aws_access_key_id=keys["Credentials"]["AccessKeyId"],
                aws_secret_access_key=keys["Credentials"]["SecretAccessKey"],
                aws_session_token=keys["Credentials"]["SessionToken"],
            )
        return self._clients[role, service]

    def _start_host(self, tags: list[dict[str, str]]) -> None:
        """What a host consists of, and somebody else's: subnet, security group, instance."""
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

    def host(self, **otherwise: Any) -> dict[str, Any]:
        """What a host may be, but for `otherwise`."""
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
            **otherwise,
        }

    def _open_workbenches(self) -> None:
        """A Studio domain of somebody else's."""
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

    def _make(self, name: str, document: str) -> None:
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
        iam.put_role_policy(RoleName=full, PolicyName=full, PolicyDocument=self._render(document))
        areas = {path.stem for path in (POLICIES / "stacks").glob("*.json")} if name in APPLYING else set()
        for area in sorted(areas - (BY_HAND if name == "ci-apply" else set())):
            text = self._render(f"stacks/{area}")
            iam.put_role_policy(RoleName=full, PolicyName=area, PolicyDocument=text)

    def _render(self, document: str) -> str:
        return Template((POLICIES / f"{document}.json").read_text()).substitute(self._values)


@pytest.fixture(scope="module")
def account(embedded_aws) -> Account:
    return Account(embedded_aws)


def package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "")
    return content.getvalue()


def job(name: str, role: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://anywhere/x"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def function(name: str, role: str) -> dict[str, Any]:
    code = {"ZipFile": package()}
    return {"FunctionName": name, "Role": role, "Runtime": "python3.12", "Handler": "handler.f", "Code": code}


def approve(account: Account) -> dict[str, Any]:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{account.prefix}/1"
    return {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}


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

Act = tuple[str, str, Callable[[Account], dict[str, Any]]]
FOR_ALL: dict[str, Act] = {
    "read another bucket": ("s3", "get_object", lambda a: {"Bucket": a.other, "Key": "datasets/1.png"}),
    "write to another bucket": ("s3", "put_object", lambda a: {"Bucket": a.other, "Key": "datasets/1.png"}),
    "list another bucket": ("s3", "list_objects_v2", lambda a: {"Bucket": a.other}),
    "delete another bucket": ("s3", "delete_bucket", lambda a: {"Bucket": a.other}),
    "open another bucket": ("s3", "put_bucket_policy", lambda a: {"Bucket": a.other, "Policy": ANYTHING}),
    "write where nothing belongs": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "elsewhere/x"}),
    "delete a model": (
        "s3",
        "delete_object",
        lambda a: {"Bucket": a.bucket, "Key": "training/job/output/model.tar.gz"},
    ),
    "read the state of access": (
        "s3",
        "get_object",
        lambda a: {"Bucket": a.state_bucket, "Key": "_access/dev.tfstate"},
    ),
    "write the state of access": (
        "s3",
        "put_object",
        lambda a: {"Bucket": a.state_bucket, "Key": "_access/dev.tfstate"},
    ),
    "read another environment's state": (
        "s3",
        "get_object",
        lambda a: {"Bucket": a.state_bucket, "Key": "prod/foundation.tfstate"},
    ),
    "ask another endpoint": (
        "sagemaker-runtime",
        "invoke_endpoint",
        lambda a: {"EndpointName": a.other, "Body": b""},
    ),
    "delete another endpoint": ("sagemaker", "delete_endpoint", lambda a: {"EndpointName": a.other}),
    "run a job of another name": (
        "sagemaker",
        "create_training_job",
        lambda a: job(a.other, a.role("training")),
    ),
    "run a job as another role": (
        "sagemaker",
        "create_training_job",
        lambda a: job(f"{a.prefix}-x", a.role("operator")),
    ),
    "make a user": ("iam", "create_user", lambda a: {"UserName": f"{a.prefix}-x"}),
    "make a key": ("iam", "create_access_key", lambda a: {"UserName": f"{a.prefix}-x"}),
    "make a role without a boundary": (
        "iam",
        "create_role",
        lambda a: {"RoleName": f"{a.prefix}-x", "AssumeRolePolicyDocument": ANYBODY},
    ),
    "make a role of another name": (
        "iam",
        "create_role",
        lambda a: {
            "RoleName": a.other,
            "AssumeRolePolicyDocument": ANYBODY,
            "PermissionsBoundary": a.boundary,
        },
    ),
    "make a role beside the operator's": (
        "iam",
        "create_role",
        lambda a: {
            "RoleName": f"{a.prefix}-x",
            "Path": "/access/",
            "AssumeRolePolicyDocument": ANYBODY,
            "PermissionsBoundary": a.boundary,
        },
    ),
    "give the operator everything": (
        "iam",
        "put_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-operator", "PolicyName": "x", "PolicyDocument": ANYTHING},
    ),
    "give a role AdministratorAccess": (
        "iam",
        "attach_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-training", "PolicyArn": ADMIN},
    ),
    "let anybody be CI": (
        "iam",
        "update_assume_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-ci-apply", "PolicyDocument": ANYBODY},
    ),
    "widen the boundary": (
        "iam",
        "create_policy_version",
        lambda a: {"PolicyArn": a.boundary, "PolicyDocument": ANYTHING, "SetAsDefault": True},
    ),
    "take a role's boundary away": (
        "iam",
        "delete_role_permissions_boundary",
        lambda a: {"RoleName": f"{a.prefix}-training"},
    ),
    "put a role within another boundary": (
        "iam",
        "put_role_permissions_boundary",
        lambda a: {"RoleName": f"{a.prefix}-training", "PermissionsBoundary": ADMIN},
    ),
    "be another environment's operator": (
        "sts",
        "assume_role",
        lambda a: {
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/access/{a.other}-operator",
            "RoleSessionName": "xx",
        },
    ),
    "decrypt what is no object of S3": (
        "kms",
        "decrypt",
        lambda a: {"CiphertextBlob": a.secret, "EncryptionContext": {"of": "another"}},
    ),
    "use another key": ("kms", "generate_data_key", lambda a: {"KeyId": a.other_key, "KeySpec": "AES_256"}),
    "delete another key": ("kms", "schedule_key_deletion", lambda a: {"KeyId": a.other_key}),
    "open another key": (
        "kms",
        "put_key_policy",
        lambda a: {"KeyId": a.other_key, "PolicyName": "default", "Policy": ANYTHING},
    ),
    "lend the key out": (
        "kms",
        "create_grant",
        lambda a: {"KeyId": a.key, "GranteePrincipal": STRANGER, "Operations": ["Decrypt"]},
    ),
    "delete another's log": (
        "logs",
        "delete_log_group",
        lambda a: {"logGroupName": f"/aws/lambda/{a.other}"},
    ),
    "keep the log for a day": (
        "logs",
        "put_retention_policy",
        lambda a: {"logGroupName": "/aws/cloudtrail", "retentionInDays": 1},
    ),
    "call another function": ("lambda", "invoke", lambda a: {"FunctionName": a.other}),
    "call a version that is not live": (
        "lambda",
        "invoke",
        lambda a: {"FunctionName": f"{a.prefix}-inference", "Qualifier": "1"},
    ),
    "change another function": (
        "lambda",
        "update_function_code",
        lambda a: {"FunctionName": a.other, "ZipFile": package()},
    ),
    "make a function that is the training role": (
        "lambda",
        "create_function",
        lambda a: function(f"{a.prefix}-x", a.role("training")),
    ),
    "make a function that is the operator": (
        "lambda",
        "create_function",
        lambda a: function(f"{a.prefix}-x", a.role("operator")),
    ),
    "read another's parameter": ("ssm", "get_parameter", lambda a: {"Name": f"/{a.project}/prod/foundation"}),
    "write another's parameter": (
        "ssm",
        "put_parameter",
        lambda a: {"Name": f"/{a.project}/prod/x", "Value": "v", "Type": "String"},
    ),
    "start an instance": (
        "ec2",
        "run_instances",
        lambda a: {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1},
    ),
    "start a host without tags": ("ec2", "run_instances", lambda a: a.host(TagSpecifications=[])),
    "start a host with another role": (
        "ec2",
        "run_instances",
        lambda a: a.host(IamInstanceProfile={"Name": f"{a.prefix}-training"}),
    ),
    "start a host without a role": ("ec2", "run_instances", lambda a: a.host(IamInstanceProfile={})),
    "start a host whose credentials any request gets": (
        "ec2",
        "run_instances",
        lambda a: a.host(MetadataOptions={"HttpTokens": "optional"}),
    ),
    "start a host without encryption": (
        "ec2",
        "run_instances",
        lambda a: a.host(
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": False, "VolumeSize": 45}}]
        ),
    ),
    "start a host whose other disk alone is encrypted": (
        "ec2",
        "run_instances",
        lambda a: a.host(
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": True, "VolumeSize": 45}}]
        ),
    ),
    "start a host in another's subnet": ("ec2", "run_instances", lambda a: a.host(SubnetId=a.subnets[1])),
    "start a host in another's security group": (
        "ec2",
        "run_instances",
        lambda a: a.host(SecurityGroupIds=[a.groups[1]]),
    ),
    "start a host with a key pair": ("ec2", "run_instances", lambda a: a.host(KeyName="k")),
    "end another's instance": ("ec2", "terminate_instances", lambda a: {"InstanceIds": [a.other_instance]}),
    "stop another's instance": ("ec2", "stop_instances", lambda a: {"InstanceIds": [a.other_instance]}),
    "change another's instance": (
        "ec2",
        "modify_instance_attribute",
        lambda a: {"InstanceId": a.other_instance, "DisableApiTermination": {"Value": False}},
    ),
    "read another's console": ("ec2", "get_console_output", lambda a: {"InstanceId": a.other_instance}),
    "take another's instance for one's own": (
        "ec2",
        "create_tags",
        lambda a: {"Resources": [a.other_instance], "Tags": [{"Key": "Project", "Value": a.project}]},
    ),
    "make a security group in another's network": (
        "ec2",
        "create_security_group",
        lambda a: {
            "GroupName": a.prefix,
            "Description": "d",
            "VpcId": a.vpc,
            "TagSpecifications": [
                {
                    "ResourceType": "security-group",
                    "Tags": [{"Key": "Project", "Value": a.project}, {"Key": "Environment", "Value": "dev"}],
                }
            ],
        },
    ),
    "delete another's security group": ("ec2", "delete_security_group", lambda a: {"GroupId": a.groups[1]}),
    "make a file system": ("efs", "create_file_system", lambda a: {"CreationToken": "x", "Encrypted": True}),
    "open another's notebook instance": (
        "sagemaker",
        "create_presigned_notebook_instance_url",
        lambda a: {"NotebookInstanceName": f"{a.other}-workbench"},
    ),
    "open another's Studio": (
        "sagemaker",
        "create_presigned_domain_url",
        lambda a: {"DomainId": a.other_domain, "UserProfileName": f"{a.other}-workbench"},
    ),
    "delete another's Studio": ("sagemaker", "delete_domain", lambda a: {"DomainId": a.other_domain}),
    "take another's Studio for one's own": (
        "sagemaker",
        "add_tags",
        lambda a: {
            "ResourceArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:domain/{a.other_domain}",
            "Tags": [{"Key": "Project", "Value": a.project}],
        },
    ),
    "start a notebook instance that is the training role": (
        "sagemaker",
        "create_notebook_instance",
        lambda a: {
            "NotebookInstanceName": f"{a.prefix}-workbench",
            "InstanceType": "ml.t3.medium",
            "RoleArn": a.role("training"),
        },
    ),
    "start another's application": (
        "sagemaker",
        "create_app",
        lambda a: {
            "DomainId": a.other_domain,
            "SpaceName": f"{a.other}-workbench",
            "AppType": "JupyterLab",
            "AppName": "default",
        },
    ),
    "register a model in another's group": (
        "sagemaker",
        "create_model_package",
        lambda a: {"ModelPackageGroupName": a.other},
    ),
    "delete a file system": ("efs", "delete_file_system", lambda a: {"FileSystemId": "fs-12345678"}),
    "ask for a quota": (
        "service-quotas",
        "request_service_quota_increase",
        lambda a: {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A", "DesiredValue": 1000},
    ),
    "silence the trail": ("cloudtrail", "stop_logging", lambda a: {"Name": "trail"}),
    "read secrets": ("secretsmanager", "list_secrets", lambda a: {}),
}
FOR_ONE: list[tuple[str, Act]] = [
    ("training", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "handover/tuning.json"})),
    ("training", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("training", ("s3", "delete_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("training", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("training")))),
    ("tuning", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("endpoint")))),
    ("tuning", ("lambda", "create_function", lambda a: function(f"{a.prefix}-x", a.role("training")))),
    ("tuning", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("endpoint", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("endpoint", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/j/model.tar.gz"})),
    (
        "inference",
        (
            "sagemaker-runtime",
            "invoke_endpoint",
            lambda a: {"EndpointName": f"{a.prefix}-multi", "Body": b""},
        ),
    ),
    ("inference", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ec2-host", ("s3", "delete_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ec2-host", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "tuning/x"})),
    ("ec2-host", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"})),
    ("ec2-host", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "handover/tuning.json"})),
    (
        "ec2-host",
        ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "training/j/output/model.tar.gz"}),
    ),
    ("ec2-host", ("sagemaker", "update_model_package", lambda a: approve(a))),
    (
        "ec2-host",
        ("sagemaker", "delete_model_package", lambda a: {"ModelPackageName": approve(a)["ModelPackageArn"]}),
    ),
    ("ec2-host", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("training")))),
    ("ec2-host", ("ec2", "run_instances", lambda a: a.host())),
    ("ec2-host", ("sts", "assume_role", lambda a: {"RoleArn": a.role("tuning"), "RoleSessionName": "xx"})),
    ("workbench", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"})),
    ("workbench", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/j/model.tar.gz"})),
    ("workbench", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("training")))),
    ("workbench", ("sagemaker", "update_model_package", lambda a: approve(a))),
    (
        "workbench",
        (
            "sagemaker",
            "create_presigned_notebook_instance_url",
            lambda a: {"NotebookInstanceName": f"{a.prefix}-workbench"},
        ),
    ),
    ("workbench", ("ec2", "run_instances", lambda a: a.host())),
    ("operator", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"})),
    ("operator", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "weights/x"})),
    ("operator", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("training")))),
    (
        "operator",
        ("s3", "delete_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/foundation.tfstate"}),
    ),
    ("operator", ("kms", "encrypt", lambda a: {"KeyId": a.key, "Plaintext": b"x"})),
    ("ci-plan", ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/foundation.tfstate"})),
    (
        "ci-plan",
        ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/foundation.tfstate.tflock"}),
    ),
    ("ci-plan", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    (
        "ci-plan",
        ("ssm", "put_parameter", lambda a: {"Name": f"/{a.project}/dev/x", "Value": "v", "Type": "String"}),
    ),
    (
        "ci-plan",
        (
            "lambda",
            "update_function_code",
            lambda a: {"FunctionName": f"{a.prefix}-inference", "ZipFile": package()},
        ),
    ),
    ("ci-apply", ("sts", "assume_role", lambda a: {"RoleArn": a.role("tuning"), "RoleSessionName": "xx"})),
    ("ci-apply", ("ec2", "run_instances", lambda a: a.host())),
    (
        "ci-apply",
        (
            "sagemaker",
            "create_notebook_instance",
            lambda a: {
                "NotebookInstanceName": f"{a.prefix}-workbench",
                "InstanceType": "ml.t3.medium",
                "RoleArn": a.role("workbench"),
            },
        ),
    ),
    ("ci-apply", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ci-apply", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
]
ALLOWED: dict[str, Act] = {
    "training": ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"}),
    "tuning": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"}),
    "endpoint": ("s3", "list_objects_v2", lambda a: {"Bucket": a.bucket, "Prefix": "training/"}),
    "inference": ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"}),
    "ec2-host": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/x"}),
    "workbench": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/j/metrics.json"}),
    "operator": ("ec2", "run_instances", lambda a: a.host()),
    "ci-plan": ("s3", "list_objects_v2", lambda a: {"Bucket": a.state_bucket}),
    "ci-apply": ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/x.tflock"}),
}


def attempt(account: Account, role: str, act: Act) -> str:
    """The error's code, or OK."""
    service, operation, arguments = act
    client = account.client(role, service)
    try:
        getattr(client, operation)(**arguments(account))
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"


@pytest.mark.parametrize("act", FOR_ALL)
@pytest.mark.parametrize("role", ROLES)
def test_nobody_may(account, role, act):
    assert attempt(account, role, FOR_ALL[act]) == REFUSED.get(FOR_ALL[act][0], "AccessDeniedException")


@pytest.mark.parametrize(("role", "act"), FOR_ONE)
def test_a_role_keeps_to_its_own(account, role, act):
    assert attempt(account, role, act) == REFUSED.get(act[0], "AccessDeniedException")


def test_the_operator_deletes_the_security_groups_that_studio_leaves(account, embedded_aws):
    owner = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:domain/d-1"
    tags = [{"Key": "ManagedByAmazonSageMakerResource", "Value": owner}]
    group = embedded_aws.client("ec2").create_security_group(
        GroupName=f"security-group-for-inbound-nfs-{account.prefix}",
        Description="d",
        VpcId=account.vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )["GroupId"]
    act: Act = ("ec2", "delete_security_group", lambda _: {"GroupId": group})
    assert attempt(account, "ci-apply", act) == REFUSED["ec2"]
    assert attempt(account, "operator", act) == "OK"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_its_own(account, role):
    """The roles above are refused for what they try, not for what they are."""
    assert attempt(account, role, ALLOWED[role]) == "OK"
