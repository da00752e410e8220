"""Gate: refusals in the protocol of each service, users, boundaries, AWS's messages."""

from __future__ import annotations

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from access_kit import ACCOUNT, allow, code, policy, refusal, trust

pytestmark = pytest.mark.slow


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
def test_refusals_have_the_error_shape_of_each_service(
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


def test_the_message_names_caller_action_and_resource_as_aws_does(as_role, name: str) -> None:
    message = refusal(as_role()("sagemaker").describe_endpoint, EndpointName="e-1")[2]
    assert message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test is not authorized to perform: "
        f"sagemaker:DescribeEndpoint on resource: arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/e-1 because no "
        "identity-based policy allows the sagemaker:DescribeEndpoint action"
    )


def test_get_caller_identity_needs_no_permission(embedded_aws, as_role, name: str) -> None:
    assert as_role()("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test"
    assert embedded_aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_users_have_the_policies_of_their_groups_until_their_key_is_inactive(embedded_aws, name: str) -> None:
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


def test_a_permissions_boundary_limits_a_role(embedded_aws, name: str) -> None:
    iam = embedded_aws.client("iam")
    document = policy(allow("ssm:Describe*"))
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(AWS=ACCOUNT), PermissionsBoundary=boundary)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMFullAccess")
    ssm = embedded_aws.client("ssm", **embedded_aws.session_of(name))
    assert code(ssm.describe_parameters) == "OK"
    assert "no permissions boundary allows" in refusal(ssm.get_parameter, Name="/x")[2]


def test_unsupported_operations_and_the_control_pages_of_moto_are_refused(embedded_aws) -> None:
    sts = embedded_aws.client("sts")
    assert refusal(sts.get_session_token)[:2] == (501, "NotImplementedException")
    root = embedded_aws.client("s3")
    assert code(root.list_objects_v2, Bucket="moto-api") == "AccessDenied"  # the path of moto's control pages
