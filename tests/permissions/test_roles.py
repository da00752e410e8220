"""A role may do what it is for, and nothing that another role is for."""

from __future__ import annotations

import pytest

from tests.permissions.account import (
    ACCOUNT,
    REFUSED,
    REGION,
    ROLES,
    Act,
    approve,
    attempt,
    data_job,
    function,
    job,
    package,
)

pytestmark = pytest.mark.slow

FORBIDDEN: list[tuple[str, Act]] = [
    ("training", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "results/tuning.json"})),
    ("training", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("training", ("s3", "delete_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"})),
    ("training", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("training")))),
    ("processing", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "results/tuning.json"})),
    ("processing", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "results/tuning.json"})),
    ("processing", ("s3", "delete_object", lambda a: {"Bucket": a.bucket, "Key": "sources/pets/1.png"})),
    ("processing", ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"})),
    ("processing", ("ssm", "get_parameter", lambda a: {"Name": f"/{a.project}/dev/workbench"})),
    (
        "processing",
        (
            "sagemaker",
            "create_processing_job",
            lambda a: data_job(f"{a.prefix}-data-x", a.role("processing")),
        ),
    ),
    ("tuning", ("sagemaker", "create_training_job", lambda a: job(f"{a.prefix}-x", a.role("endpoint")))),
    (
        "tuning",
        ("sagemaker", "create_processing_job", lambda a: data_job(f"{a.prefix}-data-x", a.role("endpoint"))),
    ),
    (
        "tuning",
        ("sagemaker", "create_processing_job", lambda a: data_job(f"{a.prefix}-x", a.role("processing"))),
    ),
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
    ("ec2-host", ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "results/tuning.json"})),
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
    "processing": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/x/1.png"}),
    "tuning": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "code/x"}),
    "endpoint": ("s3", "list_objects_v2", lambda a: {"Bucket": a.bucket, "Prefix": "training/"}),
    "inference": ("s3", "get_object", lambda a: {"Bucket": a.bucket, "Key": "datasets/1.png"}),
    "ec2-host": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/x"}),
    "workbench": ("s3", "put_object", lambda a: {"Bucket": a.bucket, "Key": "training/j/metrics.json"}),
    "operator": ("ec2", "run_instances", lambda a: a.host()),
    "ci-plan": ("s3", "list_objects_v2", lambda a: {"Bucket": a.state_bucket}),
    "ci-apply": ("s3", "put_object", lambda a: {"Bucket": a.state_bucket, "Key": "dev/x.tflock"}),
}


@pytest.mark.parametrize(("role", "act"), FORBIDDEN)
def test_a_role_may_not_do_what_another_role_is_for(account, role, act):
    assert attempt(account, role, act) == REFUSED.get(act[0], "AccessDeniedException")


def test_only_the_operator_deletes_the_security_groups_of_studio(account, embedded_aws):
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
def test_a_role_may_do_what_it_is_for(account, role):
    """Negative control: the roles exist and are not refused everything."""
    assert attempt(account, role, ALLOWED[role]) == "OK"
