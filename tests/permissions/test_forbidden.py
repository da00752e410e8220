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
    "operator": "operator",
    "ci-plan": "ci_plan",
    "ci-apply": "ci_apply",
}
APPLYING = {"operator", "ci-apply"}  # they have policies/stacks, too
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

    def _make(self, name: str, document: str) -> None:
        iam, full = self._aws.client("iam"), f"{self.prefix}-{name}"
        trusted = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        of_access = "/access/" in self.role(name)
        bounded = {} if of_access else {"PermissionsBoundary": self.boundary}
        iam.create_role(
            RoleName=full, Path="/access/" if of_access else "/", **bounded,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
        )  # fmt: skip
        iam.put_role_policy(RoleName=full, PolicyName=full, PolicyDocument=self._render(document))
        for area in sorted((POLICIES / "stacks").glob("*.json")) if name in APPLYING else ():
            text = self._render(f"stacks/{area.stem}")
            iam.put_role_policy(RoleName=full, PolicyName=area.stem, PolicyDocument=text)

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
        "s3", "delete_object", lambda a: {"Bucket": a.bucket, "Key": "training/job/output/model.tar.gz"},
    ),
    "read the state of access": (
        "s3", "get_object", lambda a: {"Bucket": a.state_bucket, "Key": "_access/dev.tfstate"},
    ),
    "write the state of access": (
        "s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "_access/dev.tfstate"},
    ),
    "read another environment's state": (
        "s3", "get_object", lambda a: {"Bucket": a.state_bucket, "Key": "prod/foundation.tfstate"},
    ),
    "ask another endpoint": (
        "sagemaker-runtime", "invoke_endpoint", lambda a: {"EndpointName": a.other, "Body": b""},
    ),
    "delete another endpoint": ("sagemaker", "delete_endpoint", lambda a: {"EndpointName": a.other}),
    "run a job of another name": ("sagemaker", "create_training_job", lambda a: job(a.other, a.role("training"))),
    "run a job as another role": (
        "sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("operator")),
    ),
    "make a user": ("iam", "create_user", lambda a: {"UserName": f"{a.prefix}-x"}),
    "make a key": ("iam", "create_access_key", lambda a: {"UserName": f"{a.prefix}-x"}),
    "make a role without a boundary": (
        "iam", "create_role", lambda a: {"RoleName": f"{a.prefix}-x", "AssumeRolePolicyDocument": ANYBODY},
    ),
    "make a role of another name": (
        "iam", "create_role",
        lambda a: {"RoleName": a.other, "AssumeRolePolicyDocument": ANYBODY, "PermissionsBoundary": a.boundary},
    ),
    "make a role beside the operator's": (
        "iam", "create_role",
        lambda a: {"RoleName": f"{a.prefix}-x", "Path": "/access/", "AssumeRolePolicyDocument": ANYBODY,
                   "PermissionsBoundary": a.boundary},
    ),
    "give the operator everything": (
        "iam", "put_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-operator", "PolicyName": "x", "PolicyDocument": ANYTHING},
    ),
    "give a role AdministratorAccess": (
        "iam", "attach_role_policy", lambda a: {"RoleName": f"{a.prefix}-training", "PolicyArn": ADMIN},
    ),
    "let anybody be CI": (
        "iam", "update_assume_role_policy",
        lambda a: {"RoleName": f"{a.prefix}-ci-apply", "PolicyDocument": ANYBODY},
    ),
    "widen the boundary": (
        "iam", "create_policy_version",
        lambda a: {"PolicyArn": a.boundary, "PolicyDocument": ANYTHING, "SetAsDefault": True},
    ),
    "take a role's boundary away": (
        "iam", "delete_role_permissions_boundary", lambda a: {"RoleName": f"{a.prefix}-training"},
    ),
    "put a role within another boundary": (
        "iam", "put_role_permissions_boundary",
        lambda a: {"RoleName": f"{a.prefix}-training", "PermissionsBoundary": ADMIN},
    ),
    "be another environment's operator": (
        "sts", "assume_role",
        lambda a: {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/access/{a.other}-operator", "RoleSessionName": "xx"},
    ),
    "decrypt what is no object of S3": (
        "kms", "decrypt", lambda a: {"CiphertextBlob": a.secret, "EncryptionContext": {"of": "another"}},
    ),
    "use another key": ("kms", "generate_data_key", lambda a: {"KeyId": a.other_key, "KeySpec": "AES_256"}),
    "delete another key": ("kms", "schedule_key_deletion", lambda a: {"KeyId": a.other_key}),
    "open another key": (
        "kms", "put_key_policy", lambda a: {"KeyId": a.other_key, "PolicyName": "default", "Policy": ANYTHING},
    ),
    "lend the key out": (
        "kms", "create_grant",
        lambda a: {"KeyId": a.key, "GranteePrincipal": STRANGER, "Operations": ["Decrypt"]},
    ),
    "delete another's log": ("logs", "delete_log_group", lambda a: {"logGroupName": f"/aws/lambda/{a.other}"}),
    "keep the log for a day": (
        "logs", "put_retention_policy", lambda a: {"logGroupName": "/aws/cloudtrail", "retentionInDays": 1},
    ),
    "call another function": ("lambda", "invoke", lambda a: {"FunctionName": a.other}),
    "call a version that is not live": (
        "lambda", "invoke", lambda a: {"FunctionName": f"{a.prefix}-inference", "Qualifier": "1"},
    ),
    "change another function": (
        "lambda", "update_function_code", lambda a: {"FunctionName": a.other, "ZipFile": package()},
    ),
    "make a function that is the training role": (
        "lambda", "create_function", lambda a: function(f"{a.prefix}-x", a.role("training")),
    ),
    "make a function that is the operator": (
        "lambda", "create_function", lambda a: function(f"{a.prefix}-x", a.role("operator")),
    ),
    "read another's parameter": ("ssm", "get_parameter", lambda a: {"Name": f"/{a.project}/prod/foundation"}),
    "write another's parameter": (
        "ssm", "put_parameter", lambda a: {"Name": f"/{a.project}/prod/x", "Value": "v", "Type": "String"},
    ),
    "start an instance": (
        "ec2", "run_instances", lambda a: {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1},
    ),
    "silence the trail": ("cloudtrail", "stop_logging", lambda a: {"Name": "trail"}),
    "read secrets": ("secretsmanager", "list_secrets", lambda a: {}),
}  # fmt: skip
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
    ("inference", ("sagemaker-runtime", "invoke_endpoint",
                   lambda a: {"EndpointName": f"{a.prefix}-multi", "Body": b""})),
    ("inference", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ec2-host", ("s3", "delete_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ec2-host", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "tuning/x"})),
    ("operator", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/j/model.tar.gz"})),
    ("operator", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("training")))),
    ("operator", ("s3", "delete_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/foundation.tfstate"})),
    ("operator", ("kms", "encrypt", lambda a: {"KeyId": a.key, "Plaintext": b"x"})),
    ("ci-plan", ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/foundation.tfstate"})),
    ("ci-plan", ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/foundation.tfstate.tflock"})),
    ("ci-plan", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ci-plan", ("ssm", "put_parameter",
                 lambda a: {"Name": f"/{a.project}/dev/x", "Value": "v", "Type": "String"})),
    ("ci-plan", ("lambda", "update_function_code",
                 lambda a: {"FunctionName": f"{a.prefix}-inference", "ZipFile": package()})),
    ("ci-apply", ("sts", "assume_role", lambda a: {"RoleArn": a.role("tuning"), "RoleSessionName": "xx"})),
    ("ci-apply", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("ci-apply", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
]  # fmt: skip
ALLOWED: dict[str, Act] = {
    "training": ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"}),
    "tuning": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"}),
    "endpoint": ("s3", "list_objects_v2", lambda a: {"Bucket": a.bucket, "Prefix": "training/"}),
    "inference": ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"}),
    "ec2-host": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/x"}),
    "operator": ("kms", "describe_key", lambda a: {"KeyId": a.key}),
    "ci-plan": ("s3", "list_objects_v2", lambda a: {"Bucket": a.state_bucket}),
    "ci-apply": ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/x.tflock"}),
}  # fmt: skip


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


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_its_own(account, role):
    """The roles above are refused for what they try, not for what they are."""
    assert attempt(account, role, ALLOWED[role]) == "OK"
