"""Permissions of calls: actions, resources, condition keys, passed roles."""

from __future__ import annotations

import uuid

import pytest

from access_kit import ACCOUNT, allow, code, policy, refusal, trust

pytestmark = pytest.mark.slow


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


def test_calls_need_these_actions_on_these_resources(as_role) -> None:
    clients = as_role()
    for service, operation, arguments, action, resource in RESOURCES:
        message = refusal(getattr(clients(service), operation), **arguments)[2]
        assert f"perform: {action} on resource: {resource.format(ACCOUNT)} because" in message, message


def test_condition_keys_come_from_the_parameters(as_role) -> None:
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


def test_pass_role_can_be_limited_to_a_service(embedded_aws, as_role, name: str) -> None:
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
        PolicyDocument=policy(allow("iam:PassRole", passed)),
    )
    assert "PassRole" not in code(clients("sagemaker").create_model, **model)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_notebook_instance", {"InstanceType": "ml.t3.medium"}),
        ("update_notebook_instance", {}),
    ],
)
def test_notebook_instances_need_pass_role_for_their_role(as_role, operation, arguments):
    client = as_role(allow("sagemaker:*NotebookInstance"))("sagemaker")
    passed = "arn:aws:iam::123456789012:role/of-notebooks"
    message = refusal(getattr(client, operation), NotebookInstanceName="n", RoleArn=passed, **arguments)[2]
    assert f"iam:PassRole on resource: {passed}" in message
