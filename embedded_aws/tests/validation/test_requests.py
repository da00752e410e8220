"""Invalid requests of each protocol are refused with the error of the service."""

from __future__ import annotations

from typing import Any

import pytest

from access_kit import ACCOUNT, refusal, trust
from raw_kit import FORM, code_of, json_headers, send, unchecked


@pytest.mark.parametrize(
    ("service", "method", "arguments", "code", "words"),
    [
        (
            "iam",
            "create_role",
            {"RoleName": "a b", "AssumeRolePolicyDocument": "{}"},
            "ValidationError",
            "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy "
            r"regular expression pattern: [\w+=,.@-]+",
        ),
        (
            "iam",
            "create_role",
            {},
            "ValidationError",
            "2 validation errors detected: Value null at 'roleName' failed",
        ),
        ("sns", "create_topic", {}, "ValidationError", "Value null at 'name'"),
        (
            "cloudwatch",
            "put_metric_data",
            {"MetricData": []},
            "MissingParameter",
            "The parameter Namespace is required.",
        ),
        (
            "cloudwatch",
            "put_metric_alarm",
            {"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "Over"},
            "ValidationError",
            "Member must satisfy enum value set: [",
        ),
        (
            "ec2",
            "run_instances",
            {"MinCount": 1},
            "MissingParameter",
            "The request must contain the parameter MaxCount",
        ),
        (
            "ec2",
            "create_vpc",
            {"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "shared"},
            "InvalidParameterValue",
            "Value (shared) for parameter instanceTenancy is invalid.",
        ),
        ("sagemaker", "describe_endpoint", {"EndpointName": "-"}, "ValidationException", "at 'endpointName'"),
        ("lambda", "create_function", {"FunctionName": "f"}, "ValidationException", "Value null at 'role'"),
        (
            "logs",
            "create_log_group",
            {"logGroupName": "a b"},
            "InvalidParameterException",
            "at 'logGroupName'",
        ),
        (
            "ecr",
            "create_repository",
            {"repositoryName": "A"},
            "InvalidParameterException",
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression",
        ),
        ("sqs", "create_queue", {}, "MissingParameter", "The request must contain the parameter QueueName."),
        ("budgets", "describe_budgets", {"AccountId": "1"}, "InvalidParameterException", "at 'accountId'"),
        (
            "s3",
            "put_object",
            {"Bucket": "b", "Key": "k", "StorageClass": "X"},
            "InvalidStorageClass",
            "not valid",
        ),
        (
            "s3",
            "put_bucket_versioning",
            {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}},
            "MalformedXML",
            "did not validate against our published schema",
        ),
    ],
)
def test_violations_are_reported_in_the_words_of_the_service(
    embedded_aws: Any, service: str, method: str, arguments: dict[str, Any], code: str, words: str
) -> None:
    status, found, message = refusal(getattr(unchecked(embedded_aws, service), method), **arguments)
    assert (status, found) == (400, code)
    assert words in message


@pytest.mark.parametrize(
    ("service", "body", "headers", "code"),
    [
        (
            "sagemaker",
            b'{"EndpointName": 7}',
            json_headers("SageMaker.DescribeEndpoint"),
            "SerializationException",
        ),
        (
            "sagemaker",
            b'["EndpointName"]',
            json_headers("SageMaker.DescribeEndpoint"),
            "SerializationException",
        ),
        (
            "sagemaker",
            b'{"EndpointName": ',
            json_headers("SageMaker.DescribeEndpoint"),
            "SerializationException",
        ),
        (
            "sagemaker",
            b'{"MaxResults": "10"}',
            json_headers("SageMaker.ListEndpoints"),
            "SerializationException",
        ),
        (
            "sagemaker",
            b'{"MaxResults": 1.5}',
            json_headers("SageMaker.ListEndpoints"),
            "SerializationException",
        ),
        ("ec2", b"Action=DescribeInstances&Version=2016-11-15&Foo=1", FORM, "UnknownParameter"),
        ("iam", b"Action=ListRoles&Version=2010-05-08&MaxItems=x", FORM, "MalformedQueryString"),
        ("iam", b"Action=Bogus&Version=2010-05-08", FORM, "InvalidAction"),
    ],
)
def test_input_that_cannot_be_read_is_refused(
    embedded_aws: Any, service: str, body: bytes, headers: dict[str, str], code: str
) -> None:
    status, answer = send(embedded_aws, service, "POST", "/", body, headers)
    assert (status, code_of(answer)) == (400, code), answer


def test_an_operation_that_is_not_implemented_is_refused_whatever_its_input(embedded_aws: Any) -> None:
    call = unchecked(embedded_aws, "sagemaker").list_edge_packaging_jobs
    assert refusal(call, MaxResults=1000)[:2] == (501, "NotImplementedException")


def test_callers_without_permission_learn_nothing_about_their_input(embedded_aws: Any) -> None:
    embedded_aws.client("iam").create_role(RoleName="validated", AssumeRolePolicyDocument=trust(AWS=ACCOUNT))
    client = embedded_aws.client("iam", **embedded_aws.session_of("validated"))
    assert refusal(client.delete_role, RoleName="a b")[1] == "AccessDenied"
