"""No role may use buckets, keys, logs, parameters or services of others."""

from __future__ import annotations

import pytest

from tests.permissions.account import ANYTHING, REFUSED, ROLES, STRANGER, Act, attempt, function, package

pytestmark = pytest.mark.slow

FORBIDDEN: dict[str, Act] = {
    "read another bucket": ("s3", "get_object", lambda a: {"Bucket": a.other, "Key": "datasets/1.png"}),
    "write to another bucket": ("s3", "put_object", lambda a: {"Bucket": a.other, "Key": "datasets/1.png"}),
    "list another bucket": ("s3", "list_objects_v2", lambda a: {"Bucket": a.other}),
    "delete another bucket": ("s3", "delete_bucket", lambda a: {"Bucket": a.other}),
    "make another bucket public": (
        "s3",
        "put_bucket_policy",
        lambda a: {"Bucket": a.other, "Policy": ANYTHING},
    ),
    "write to an unused prefix": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "elsewhere/x"}),
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
    "decrypt anything but S3 objects": (
        "kms",
        "decrypt",
        lambda a: {"CiphertextBlob": a.secret, "EncryptionContext": {"of": "another"}},
    ),
    "use another key": ("kms", "generate_data_key", lambda a: {"KeyId": a.other_key, "KeySpec": "AES_256"}),
    "delete another key": ("kms", "schedule_key_deletion", lambda a: {"KeyId": a.other_key}),
    "change the policy of another key": (
        "kms",
        "put_key_policy",
        lambda a: {"KeyId": a.other_key, "PolicyName": "default", "Policy": ANYTHING},
    ),
    "grant the key to another principal": (
        "kms",
        "create_grant",
        lambda a: {"KeyId": a.key, "GranteePrincipal": STRANGER, "Operations": ["Decrypt"]},
    ),
    "delete another log group": (
        "logs",
        "delete_log_group",
        lambda a: {"logGroupName": f"/aws/lambda/{a.other}"},
    ),
    "shorten the retention of CloudTrail's log group": (
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
    "create a function with the training role": (
        "lambda",
        "create_function",
        lambda a: function(f"{a.prefix}-x", a.role("training")),
    ),
    "create a function with the operator role": (
        "lambda",
        "create_function",
        lambda a: function(f"{a.prefix}-x", a.role("operator")),
    ),
    "read a parameter of another environment": (
        "ssm",
        "get_parameter",
        lambda a: {"Name": f"/{a.project}/prod/foundation"},
    ),
    "write a parameter of another environment": (
        "ssm",
        "put_parameter",
        lambda a: {"Name": f"/{a.project}/prod/x", "Value": "v", "Type": "String"},
    ),
    "create a file system": (
        "efs",
        "create_file_system",
        lambda a: {"CreationToken": "x", "Encrypted": True},
    ),
    "delete a file system": ("efs", "delete_file_system", lambda a: {"FileSystemId": "fs-12345678"}),
    "request a quota increase": (
        "service-quotas",
        "request_service_quota_increase",
        lambda a: {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A", "DesiredValue": 1000},
    ),
    "stop CloudTrail": ("cloudtrail", "stop_logging", lambda a: {"Name": "trail"}),
    "list secrets": ("secretsmanager", "list_secrets", lambda a: {}),
}


@pytest.mark.parametrize("act", FORBIDDEN)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not(account, role, act):
    assert attempt(account, role, FORBIDDEN[act]) == REFUSED.get(FORBIDDEN[act][0], "AccessDeniedException")
