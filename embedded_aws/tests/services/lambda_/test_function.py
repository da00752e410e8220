"""Settings of functions on the running embedded AWS."""

from __future__ import annotations

import json

import pytest

from functions_kit import LOGS, TRUST, Functions, expect_error


@pytest.fixture(scope="module")
def functions(embedded_aws):
    return Functions(embedded_aws)


@pytest.mark.parametrize(
    "settings",
    [
        {"Runtime": "nodejs22.x"},
        {"PackageType": "Image", "Code": {"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"}},
        {"Code": {"ZipFile": b"not a zip"}},
        {"Code": {"S3Bucket": "no-such-bucket-anywhere", "S3Key": "k"}},
        {"Environment": {"Variables": {"AWS_REGION": "eu-west-1"}}},
        {"Environment": {"Variables": {"BIG": "x" * 4096}}},
        {"Role": "arn:aws:iam::123456789012:role/missing"},
        {"SnapStart": {"ApplyOn": "PublishedVersions"}},
        {"DeadLetterConfig": {"TargetArn": "arn:aws:events:us-east-1:123456789012:event-bus/x"}},
    ],
    ids=lambda settings: next(iter(settings)) + str(len(str(settings))),
)
def test_create_function_refuses_unsupported_settings(functions, settings):
    expect_error("InvalidParameterValueException", functions.create, **settings)


def test_create_function_refuses_a_role_that_lambda_cannot_assume(functions):
    trust = json.loads(json.dumps(TRUST).replace("lambda.", "ec2."))
    role = functions.role(LOGS, trust)
    answer = expect_error("InvalidParameterValueException", functions.create, Role=role)
    assert answer["Error"]["Message"] == "The role defined for the function cannot be assumed by Lambda."


def test_settings_are_returned_as_set(functions):
    queue = "arn:aws:sqs:us-east-1:123456789012:dlq"
    client, name = functions.client, functions.create(DeadLetterConfig={"TargetArn": queue}, Publish=True)
    configuration = client.get_function_configuration(FunctionName=name)
    assert configuration["DeadLetterConfig"] == {"TargetArn": queue}
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    updated = client.update_function_configuration(
        FunctionName=name,
        DeadLetterConfig={"TargetArn": ""},
        EphemeralStorage={"Size": 1024},
        TracingConfig={"Mode": "Active"},
        LoggingConfig={"LogFormat": "JSON"},
    )
    assert "DeadLetterConfig" not in updated
    assert updated["EphemeralStorage"] == {"Size": 1024}
    assert updated["LoggingConfig"]["LogFormat"] == "JSON"
    assert updated["RevisionId"] != configuration["RevisionId"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for qualifier in (None, "live"):
        where = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
        client.create_function_url_config(**where, AuthType="AWS_IAM")
        expect_error("ResourceConflictException", client.create_function_url_config, **where, AuthType="NONE")
    urls = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert len({url["FunctionUrl"] for url in urls}) == 2
    config = {"FunctionName": name, "Qualifier": "1"}
    client.put_function_event_invoke_config(**config, MaximumRetryAttempts=1)
    client.put_function_event_invoke_config(**config, MaximumEventAgeInSeconds=60)
    found = client.get_function_event_invoke_config(**config)
    assert "MaximumRetryAttempts" not in found and found["FunctionArn"].endswith(f":{name}:1")
    expect_error("ResourceNotFoundException", client.get_function_event_invoke_config, FunctionName=name)
    expect_error(
        "InvalidParameterValueException",
        client.put_function_event_invoke_config,
        **config,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::bucket"}},
    )
