"""Access control as callers of the embedded AWS meet it: permissions, refusals in each protocol, trust, KMS."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


def trust(**principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(action: Any, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**found, "Condition": condition} if condition else found


@pytest.fixture
def as_role(embedded_aws, name: str) -> Callable[..., Callable[[str], Any]]:
    """Makes a role with these statements; gives a maker of clients that act as it."""

    def make(*statements: dict[str, Any]) -> Callable[[str], Any]:
        iam = embedded_aws.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(AWS=ACCOUNT))
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
        session = embedded_aws.session_of(name)
        return lambda service: embedded_aws.client(service, **session)

    return make


@pytest.fixture
def bucket(embedded_aws, name: str) -> str:
    embedded_aws.client("s3").create_bucket(Bucket=name)
    return name


def code(call: Callable[..., Any], **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


CALLS = [
    (
        "s3",
        "get_object",
        {"Bucket": "b", "Key": "k"},
        403,
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
    ),
    ("iam", "list_roles", {}, 403, "AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    ("ec2", "describe_instances", {}, 403, "UnauthorizedOperation", "AuthFailure", "AuthFailure"),
    (
        "sagemaker",
        "list_models",
        {},
        400,
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
    ),
    (
        "lambda",
        "list_functions",
        {},
        403,
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
    ),
    ("cloudwatch", "list_metrics", {}, 400, "AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "e", "Body": b"\xff\xd8"},
        403,
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
    ),
]


@pytest.mark.parametrize(("service", "operation", "arguments", "status", "denied", "unknown", "wrong"), CALLS)
def test_refusals_have_the_shape_of_each_service(
    embedded_aws, as_role, service, operation, arguments, status, denied, unknown, wrong
) -> None:
    assert refusal(getattr(as_role()(service), operation), **arguments)[:2] == (status, denied)
    stranger = embedded_aws.client(
        service, aws_access_key_id="AKIAAAAAAAAAAAAAAAAA", aws_secret_access_key="x"
    )
    assert refusal(getattr(stranger, operation), **arguments)[1] == unknown
    forger = embedded_aws.client(service, aws_secret_access_key="not the secret")
    assert refusal(getattr(forger, operation), **arguments)[1] == wrong
    anonymous = embedded_aws.client(service, config=Config(signature_version=UNSIGNED))
    assert refusal(getattr(anonymous, operation), **arguments)[0] in (400, 401, 403)


def test_the_message_is_aws_s(as_role, name: str) -> None:
    message = refusal(as_role()("sagemaker").describe_endpoint, EndpointName="e-1")[2]
    assert message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test is not authorized to perform: "
        f"sagemaker:DescribeEndpoint on resource: arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/e-1 because no "
        "identity-based policy allows the sagemaker:DescribeEndpoint action"
    )


def test_who_am_i_needs_no_permission(embedded_aws, as_role, name: str) -> None:
    assert as_role()("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test"
    assert embedded_aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_objects(embedded_aws, as_role, bucket: str) -> None:
    owner = embedded_aws.client("s3")
    for key in ("in/a", "in/b", "out/c"):
        owner.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3 = as_role(
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"arn:aws:s3:::{bucket}/in/*"),
        allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", StringLike={"s3:prefix": ["in/*"]}),
    )("s3")
    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"x"
    assert refusal(s3.head_object, Bucket=bucket, Key="out/c")[0] == 403
    assert code(s3.get_object, Bucket=bucket, Key="out/c") == "AccessDenied"
    assert len(s3.list_objects_v2(Bucket=bucket, Prefix="in/")["Contents"]) == 2
    assert code(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    # Without leave to list everything, absence is not told.
    assert code(s3.get_object, Bucket=bucket, Key="in/none") == "AccessDenied"
    assert code(owner.get_object, Bucket=bucket, Key="in/none") == "NoSuchKey"
    # A copy reads its source; many deletes are decided key by key.
    source = {"Bucket": bucket, "Key": "out/c"}
    assert code(s3.copy_object, Bucket=bucket, Key="in/d", CopySource=source) == "AccessDenied"
    source["Key"] = "in/a"
    assert code(s3.copy_object, Bucket=bucket, Key="in/d", CopySource=source) == "OK"
    assert code(s3.copy_object, Bucket=bucket, Key="out/d", CopySource=source) == "AccessDenied"
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "in/b"}, {"Key": "out/c"}]})
    assert [d["Key"] for d in answer["Deleted"]] == ["in/b"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("out/c", "AccessDenied")]
    assert code(owner.head_object, Bucket=bucket, Key="out/c") == "OK"


def test_versions_have_actions_of_their_own(embedded_aws, as_role, bucket: str) -> None:
    owner = embedded_aws.client("s3")
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = owner.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    s3 = as_role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))("s3")
    assert code(s3.get_object, Bucket=bucket, Key="k") == "OK"
    assert code(s3.get_object, Bucket=bucket, Key="k", VersionId=version) == "AccessDenied"


def test_bucket_policies_and_presigned_and_anonymous_requests(embedded_aws, bucket: str) -> None:
    owner = embedded_aws.client("s3")
    owner.put_object(Bucket=bucket, Key="a b+é.txt", Body=b"public", Metadata={"under_score": "v"})
    anonymous = embedded_aws.client("s3", config=Config(signature_version=UNSIGNED))
    assert code(anonymous.get_object, Bucket=bucket, Key="a b+é.txt") == "AccessDenied"

    presigner = embedded_aws.client("s3", config=Config(signature_version="s3v4"))
    url = presigner.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b+é.txt"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"public"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("Expires=3600", "Expires=3601"))

    public = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    locked = {**tls_only, "Action": "s3:DeleteObject"}
    del locked["Condition"]
    document = {"Version": "2012-10-17", "Statement": [public, tls_only, locked]}
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    assert anonymous.get_object(Bucket=bucket, Key="a b+é.txt")["Metadata"] == {"under_score": "v"}
    assert code(anonymous.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert code(owner.put_object, Bucket=bucket, Key="more", Body=b"") == "OK"
    assert (
        "explicit deny in a resource-based policy"
        in refusal(owner.delete_object, Bucket=bucket, Key="more")[2]
    )

    owner.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    assert code(anonymous.get_object, Bucket=bucket, Key="a b+é.txt") == "AccessDenied"


def test_encrypted_objects_need_their_key(embedded_aws, as_role, bucket: str) -> None:
    key = embedded_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    owner = embedded_aws.client("s3")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    owner.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    owner.put_object(Bucket=bucket, Key="k", Body=b"x")
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    via_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    clients = as_role(objects, allow("kms:Decrypt", key, **via_s3))
    assert clients("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    status, _, message = refusal(clients("s3").put_object, Bucket=bucket, Key="k2", Body=b"")
    assert status == 403 and f"perform: kms:GenerateDataKey on resource: {key}" in message
    # The same permission does not reach the key by another way.
    secret = embedded_aws.client("kms").encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    assert code(clients("kms").decrypt, CiphertextBlob=secret) == "AccessDeniedException"


def test_a_role_is_passed_only_to_whom_it_may_be(embedded_aws, as_role, name: str) -> None:
    iam = embedded_aws.client("iam")
    passed = iam.create_role(
        RoleName=f"{name}-passed", AssumeRolePolicyDocument=trust(Service="lambda.amazonaws.com")
    )["Role"]["Arn"]
    image = {"Containers": [{"Image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/x:1"}]}
    model = {"ModelName": name, "ExecutionRoleArn": passed, **image}
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    clients = as_role(allow("sagemaker:CreateModel"), allow("iam:PassRole", passed, **to_lambda))
    message = refusal(clients("sagemaker").create_model, **model)[2]
    assert f"iam:PassRole on resource: {passed}" in message
    iam.put_role_policy(
        RoleName=name,
        PolicyName="more",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("iam:PassRole", passed)]}),
    )
    assert "PassRole" not in code(clients("sagemaker").create_model, **model)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_notebook_instance", {"InstanceType": "ml.t3.medium"}),
        ("update_notebook_instance", {}),
    ],
)
def test_whoever_gives_a_notebook_instance_a_role_passes_it(as_role, operation, arguments):
    client = as_role(allow("sagemaker:*NotebookInstance"))("sagemaker")
    passed = "arn:aws:iam::123456789012:role/of-notebooks"
    message = refusal(getattr(client, operation), NotebookInstanceName="n", RoleArn=passed, **arguments)[2]
    assert f"iam:PassRole on resource: {passed}" in message


def test_roles_are_assumed_by_those_they_trust(embedded_aws, as_role, name: str) -> None:
    iam = embedded_aws.client("iam")
    clients = as_role()
    mine = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    for suffix, principal in (
        ("a", {"AWS": mine}),
        ("b", {"AWS": ACCOUNT}),
        ("c", {"Service": "ec2.amazonaws.com"}),
    ):
        iam.create_role(RoleName=f"{name}-{suffix}", AssumeRolePolicyDocument=trust(**principal))

    def assume(suffix: str) -> str:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}-{suffix}"
        return code(clients("sts").assume_role, RoleArn=arn, RoleSessionName="me")

    assert assume("a") == "OK"  # the trust policy names the caller
    assert assume("b") == assume("c") == assume("missing") == "AccessDenied"
    document = {"Version": "2012-10-17", "Statement": [allow("sts:AssumeRole")]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    assert assume("b") == "OK"  # the account is trusted, and lets the caller
    assert assume("c") == "AccessDenied"


RESOURCES = [
    ("ssm", "get_parameter", {"Name": "/p/q"}, "ssm:GetParameter", "arn:aws:ssm:us-east-1:{}:parameter/p/q"),
    (
        "ssm",
        "get_parameter",
        {"Name": "/aws/service/p"},
        "ssm:GetParameter",
        "arn:aws:ssm:us-east-1::parameter/aws/service/p",
    ),
    (
        "ssm",
        "get_parameters_by_path",
        {"Path": "/p"},
        "ssm:GetParametersByPath",
        "arn:aws:ssm:us-east-1:{}:parameter/p",
    ),
    (
        "lambda",
        "invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        "lambda:InvokeFunction",
        "arn:aws:lambda:us-east-1:{}:function:f:live",
    ),
    (
        "lambda",
        "invoke",
        {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f:live"},
        "lambda:InvokeFunction",
        "arn:aws:lambda:us-east-1:{}:function:f:live",
    ),
    (
        "lambda",
        "get_function",
        {"FunctionName": "f"},
        "lambda:GetFunction",
        "arn:aws:lambda:us-east-1:{}:function:f",
    ),
    (
        "logs",
        "create_log_group",
        {"logGroupName": "/g"},
        "logs:CreateLogGroup",
        "arn:aws:logs:us-east-1:{}:log-group:/g:log-stream:",
    ),
    (
        "logs",
        "get_log_events",
        {"logGroupName": "/g", "logStreamName": "s/1"},
        "logs:GetLogEvents",
        "arn:aws:logs:us-east-1:{}:log-group:/g:log-stream:s/1",
    ),
    (
        "sagemaker",
        "describe_training_job",
        {"TrainingJobName": "j"},
        "sagemaker:DescribeTrainingJob",
        "arn:aws:sagemaker:us-east-1:{}:training-job/j",
    ),
    (
        "sagemaker",
        "create_model_package",
        {"ModelPackageGroupName": "g"},
        "sagemaker:CreateModelPackage",
        "arn:aws:sagemaker:us-east-1:{}:model-package-group/g",
    ),
    (
        "sagemaker",
        "describe_model_package",
        {"ModelPackageName": "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/3"},
        "sagemaker:DescribeModelPackage",
        "arn:aws:sagemaker:us-east-1:{}:model-package/g/3",
    ),
    (
        "sagemaker",
        "list_tags",
        {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"},
        "sagemaker:ListTags",
        "arn:aws:sagemaker:us-east-1:{}:endpoint/e",
    ),
    (
        "sagemaker",
        "describe_app",
        {"DomainId": "d-1", "SpaceName": "s", "AppType": "JupyterLab", "AppName": "default"},
        "sagemaker:DescribeApp",
        "arn:aws:sagemaker:us-east-1:{}:app/d-1/s/JupyterLab/default",
    ),
    (
        "efs",
        "describe_file_systems",
        {},
        "elasticfilesystem:DescribeFileSystems",
        "arn:aws:elasticfilesystem:us-east-1:{}:file-system/*",
    ),
    (
        "application-autoscaling",
        "describe_scalable_targets",
        {"ServiceNamespace": "sagemaker"},
        "application-autoscaling:DescribeScalableTargets",
        "*",
    ),
    ("cloudwatch", "put_metric_data", {"Namespace": "N", "MetricData": []}, "cloudwatch:PutMetricData", "*"),
    (
        "cloudwatch",
        "delete_alarms",
        {"AlarmNames": ["x"]},
        "cloudwatch:DeleteAlarms",
        "arn:aws:cloudwatch:us-east-1:{}:alarm:x",
    ),
    (
        "ec2",
        "terminate_instances",
        {"InstanceIds": ["i-1"]},
        "ec2:TerminateInstances",
        "arn:aws:ec2:us-east-1:{}:instance/i-1",
    ),
    (
        "sns",
        "publish",
        {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": "m"},
        "sns:Publish",
        "arn:aws:sns:us-east-1:{}:t",
    ),
    (
        "sqs",
        "send_message",
        {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q", "MessageBody": "m"},
        "sqs:SendMessage",
        "arn:aws:sqs:us-east-1:{}:q",
    ),
    ("kms", "describe_key", {"KeyId": "1234"}, "kms:DescribeKey", "arn:aws:kms:us-east-1:{}:key/1234"),
    ("iam", "get_role", {"RoleName": "r"}, "iam:GetRole", "arn:aws:iam::{}:role/r"),
    ("s3", "get_bucket_encryption", {"Bucket": "b"}, "s3:GetEncryptionConfiguration", "arn:aws:s3:::b"),
    (
        "s3",
        "put_bucket_metrics_configuration",
        {"Bucket": "b", "Id": "i", "MetricsConfiguration": {"Id": "i"}},
        "s3:PutMetricsConfiguration",
        "arn:aws:s3:::b",
    ),
    ("s3", "list_buckets", {}, "s3:ListAllMyBuckets", "*"),
]


def test_actions_and_resources_of_calls(as_role) -> None:
    clients = as_role()
    for service, operation, arguments, action, resource in RESOURCES:
        message = refusal(getattr(clients(service), operation), **arguments)[2]
        assert f"perform: {action} on resource: {resource.format(ACCOUNT)} because" in message, message


def test_condition_keys_of_services(as_role) -> None:
    clients = as_role(
        allow("cloudwatch:PutMetricData", StringEquals={"cloudwatch:namespace": "Ours"}),
        allow(["ssm:PutParameter", "ssm:AddTagsToResource"], StringEquals={"aws:RequestTag/team": "ops"}),
        allow("logs:CreateLogGroup", StringEquals={"aws:RequestedRegion": "eu-west-1"}),
    )
    data = [{"MetricName": "m", "Value": 1.0}]
    assert code(clients("cloudwatch").put_metric_data, Namespace="Ours", MetricData=data) == "OK"
    assert code(clients("cloudwatch").put_metric_data, Namespace="Theirs", MetricData=data) == "AccessDenied"
    parameter = {"Name": f"/{uuid.uuid4()}", "Value": "v", "Type": "String"}
    put = clients("ssm").put_parameter
    assert code(put, **parameter, Tags=[{"Key": "team", "Value": "ml"}]) == "AccessDeniedException"
    assert code(put, **parameter, Tags=[{"Key": "team", "Value": "ops"}]) == "OK"
    assert code(clients("logs").create_log_group, logGroupName=f"/{uuid.uuid4()}") == "AccessDeniedException"


def test_users_groups_and_their_keys(embedded_aws, name: str) -> None:
    iam = embedded_aws.client("iam")
    iam.create_user(UserName=name)
    pair = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": pair["AccessKeyId"], "aws_secret_access_key": pair["SecretAccessKey"]}
    ssm = embedded_aws.client("ssm", **keys)
    assert code(ssm.describe_parameters) == "AccessDeniedException"
    iam.create_group(GroupName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    iam.attach_group_policy(GroupName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess")
    assert code(ssm.describe_parameters) == "OK"
    iam.update_access_key(UserName=name, AccessKeyId=pair["AccessKeyId"], Status="Inactive")
    assert code(ssm.describe_parameters) == "UnrecognizedClientException"


def test_a_boundary_limits_a_role(embedded_aws, name: str) -> None:
    iam = embedded_aws.client("iam")
    document = {"Version": "2012-10-17", "Statement": [allow("ssm:Describe*")]}
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(AWS=ACCOUNT), PermissionsBoundary=boundary)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMFullAccess")
    ssm = embedded_aws.client("ssm", **embedded_aws.session_of(name))
    assert code(ssm.describe_parameters) == "OK"
    assert "no permissions boundary allows" in refusal(ssm.get_parameter, Name="/x")[2]


def test_what_cannot_be_checked_is_refused(embedded_aws) -> None:
    sts = embedded_aws.client("sts")
    assert refusal(sts.get_session_token)[:2] == (501, "NotImplementedException")
    root = embedded_aws.client("s3")
    assert (
        code(root.list_objects_v2, Bucket="moto-api") == "AccessDenied"
    )  # moto's own pages, behind S3's back
