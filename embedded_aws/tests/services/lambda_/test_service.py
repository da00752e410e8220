"""Invocation of functions on the running embedded AWS."""

from __future__ import annotations

import base64
import io
import json
import re
import time
import uuid
import zipfile

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from functions_kit import Functions, expect_error, package


@pytest.fixture(scope="module")
def functions(embedded_aws):
    return Functions(embedded_aws)


def test_invoke_returns_the_result_the_variables_and_the_log_tail(functions):
    name = functions.create(Environment={"Variables": {"MINE": "1"}}, MemorySize=256)
    result, answer = functions.call(name, {"Qualifier": "not one"}, LogType="Tail")
    assert result["event"] == {"Qualifier": "not one"}
    assert answer["ExecutedVersion"] == result["version"] == "$LATEST"
    variables = result["environment"]
    assert variables["MINE"] == "1"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert not {k for k in variables if k.startswith(("MOTO_", "PYTEST_", "VIRTUAL_ENV"))}
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", variables["_X_AMZN_TRACE_ID"]
    )
    tail = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert tail.startswith(f"START RequestId: {request_id} Version: $LATEST\ngot ")
    assert f"REPORT RequestId: {request_id}\tDuration: " in tail
    assert "Memory Size: 256 MB" in tail and "Init Duration" in tail


def test_function_acts_as_its_role(functions):
    source = (
        "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Arn']"
    )
    name = functions.create(source, actions=["sts:GetCallerIdentity"])
    role = functions.client.get_function(FunctionName=name)["Configuration"]["Role"].split("/")[-1]
    assert functions.call(name)[0].endswith(f":assumed-role/{role}/{name}")


def test_function_has_only_the_permissions_of_its_role(functions):
    source = "import boto3\ndef handler(event, context): boto3.client('iam').list_users()"
    result, answer = functions.call(functions.create(source))
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "ClientError" and "AccessDenied" in result["errorMessage"]


def test_logs_are_written_only_if_the_role_allows_it(functions, until):
    logs = functions.aws.client("logs")
    allowed, mute = functions.create(), functions.create(actions=["sts:GetCallerIdentity"])
    for name in (mute, allowed):
        functions.call(name, "a line")

    def messages() -> list[str]:
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{allowed}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    until(lambda: any(message.startswith("REPORT") for message in messages()))
    assert "got a line\n" in messages()
    assert not logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{mute}")["logGroups"]


def test_warm_environment_is_reused_until_the_code_changes(functions):
    source = "import os\ndef handler(event, context): return os.getpid()"
    name = functions.create(source)
    pids = {functions.call(name)[0] for _ in range(3)}
    assert len(pids) == 1
    functions.client.update_function_code(
        FunctionName=name, ZipFile=package("def handler(e, c): return 'new'")
    )
    assert functions.call(name)[0] == "new"
    functions.client.update_function_configuration(FunctionName=name, Handler="handler.gone")
    assert functions.call(name)[0]["errorType"] == "Runtime.HandlerNotFound"


def test_payload_above_the_limit_is_refused(functions):
    name = functions.create("def handler(e, c): return len(e)")
    full = json.dumps("x" * (6_291_456 - 2)).encode()
    assert json.loads(functions.client.invoke(FunctionName=name, Payload=full)["Payload"].read()) == 6_291_454
    answer = expect_error(
        "RequestTooLargeException", functions.client.invoke, FunctionName=name, Payload=full + b" "
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
    expect_error(
        "RequestTooLargeException",
        functions.client.invoke,
        FunctionName=name,
        InvocationType="Event",
        Payload=b" " * 1_048_577,
    )
    expect_error("InvalidRequestContentException", functions.client.invoke, FunctionName=name, Payload=b"{no")


def test_client_context_reaches_the_handler_and_must_be_json(functions):
    name = functions.create("def handler(e, c): return c.client_context.custom")
    context = base64.b64encode(b'{"custom": {"a": "1"}}').decode()
    assert functions.call(name, ClientContext=context)[0] == {"a": "1"}
    for wrong in ("%%%", base64.b64encode(b"no json").decode(), base64.b64encode(b"[1]").decode()):
        answer = expect_error(
            "InvalidRequestContentException", functions.client.invoke, FunctionName=name, ClientContext=wrong
        )
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_last_layer_wins(functions):
    client, arns = functions.client, []
    for number in (1, 2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("python/shared.py", f"WHICH = {number}")
            archive.writestr(f"python/only_{number}.py", "")
        arns.append(
            client.publish_layer_version(
                LayerName=f"layer-{uuid.uuid4().hex[:8]}", Content={"ZipFile": buffer.getvalue()}
            )["LayerVersionArn"]
        )
    source = "import shared, only_1, only_2\ndef handler(e, c): return shared.WHICH"
    name = functions.create(source, Layers=arns)
    assert functions.call(name)[0] == 2
    client.update_function_configuration(FunctionName=name, Layers=arns[::-1])
    assert functions.call(name)[0] == 1
    client.update_function_configuration(FunctionName=name, Layers=[])
    assert functions.call(name)[0]["errorType"] == "Runtime.ImportModuleError"


def test_dry_run_does_not_run_the_function(functions):
    name = functions.create()
    assert functions.client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    expect_error(
        "ResourceNotFoundException", functions.client.invoke, FunctionName="none", InvocationType="DryRun"
    )


def test_metrics_are_recorded(functions, until):
    name = functions.create("def handler(e, c): return 1 / e")
    for divisor in (1, 0, 1):
        functions.call(name, divisor)
    cloudwatch = functions.aws.client("cloudwatch")

    def total(metric: str) -> float:
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Statistics=["Sum"],
            Period=3600,
            Dimensions=[{"Name": "FunctionName", "Value": name}, {"Name": "Resource", "Value": name}],
            StartTime=time.time() - 3600,
            EndTime=time.time() + 3600,
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    until(lambda: total("Invocations") == 3)
    assert total("Errors") == 1
    assert total("Duration") > 0


def test_unsupported_operation_returns_501_without_retries(functions):
    name = functions.create()
    client = functions.aws.client("lambda", config=Config(retries={"total_max_attempts": 3}))
    with pytest.raises(ClientError) as error:
        client.get_function_recursion_config(FunctionName=name)
    metadata = error.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (501, 0)
