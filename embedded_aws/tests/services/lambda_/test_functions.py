"""Lambda through boto3 against the running embedded AWS."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

from functions_kit import LOGS, TRUST, Functions, package, refused


@pytest.fixture(scope="module")
def functions(embedded_aws):
    return Functions(embedded_aws)


def test_invoke_runs_the_code_with_lambdas_environment(functions):
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


def test_function_cannot_do_what_its_role_may_not(functions):
    source = "import boto3\ndef handler(event, context): boto3.client('iam').list_users()"
    result, answer = functions.call(functions.create(source))
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "ClientError" and "AccessDenied" in result["errorMessage"]


def test_logs_are_written_as_the_role_and_only_with_its_permission(functions, until):
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


def test_warm_environment_is_reused_and_replaced_when_the_code_changes(functions):
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


def test_versions_are_frozen_and_published_only_when_something_changed(functions):
    client, name = functions.client, functions.create("def handler(e, c): return 1", Publish=True)
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    client.update_function_code(FunctionName=name, ZipFile=package("def handler(e, c): return 2"))
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    same = client.update_function_code(
        FunctionName=name, ZipFile=package("def handler(e, c): return 2"), Publish=True
    )
    assert same["CodeSha256"] == client.get_function_configuration(FunctionName=name)["CodeSha256"]
    assert [functions.call(name, Qualifier=v)[0] for v in ("1", "2", "$LATEST")] == [1, 2, 2]
    client.delete_function(FunctionName=name, Qualifier="1")
    client.update_function_configuration(FunctionName=name, Timeout=9)
    assert client.publish_version(FunctionName=name)["Version"] == "3"
    refused("ResourceNotFoundException", client.invoke, FunctionName=name, Qualifier="1")
    refused("InvalidParameterValueException", client.publish_version, FunctionName=name, CodeSha256="x" * 44)
    refused("PreconditionFailedException", client.publish_version, FunctionName=name, RevisionId="x")


def test_alias_routes_by_weight(functions):
    client, name = functions.client, functions.create("def handler(e, c): return 'one'", Publish=True)
    client.update_function_code(
        FunctionName=name, ZipFile=package("def handler(e, c): return 'two'"), Publish=True
    )
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    result, answer = functions.call(f"{name}:live")
    assert (result, answer["ExecutedVersion"]) == ("one", "1")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    client.update_alias(FunctionName=name, Name="live", RoutingConfig=weights)
    answers = [functions.call(alias["AliasArn"]) for _ in range(40)]
    assert {(result, answer["ExecutedVersion"]) for result, answer in answers} == {("one", "1"), ("two", "2")}
    assert (
        client.get_function(FunctionName=name, Qualifier="live")["Configuration"]["FunctionArn"]
        == alias["AliasArn"]
    )
    refused("ResourceConflictException", client.delete_function, FunctionName=name, Qualifier="2")
    refused(
        "InvalidParameterValueException",
        client.create_alias,
        FunctionName=name,
        Name="bad",
        FunctionVersion="$LATEST",
        RoutingConfig=weights,
    )
    refused("ResourceNotFoundException", client.invoke, FunctionName=name, Qualifier="gone")


def test_reserved_concurrency_throttles(functions):
    client = functions.client
    name = functions.create("import time\ndef handler(e, c): time.sleep(e); return 1", Timeout=20)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 1}
    functions.call(name, 0)
    throttled: list[ClientError] = []

    def call() -> None:
        try:
            functions.call(name, 1)
        except ClientError as error:
            throttled.append(error)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert [error_code(error) for error in throttled] == [
        ("TooManyRequestsException", 429, "ReservedFunctionConcurrentInvocationLimitExceeded")
    ] * 2
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    assert refused("TooManyRequestsException", client.invoke, FunctionName=name)["Reason"].startswith(
        "Reserved"
    )
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert functions.call(name, 0)[0] == 1
    refused(
        "InvalidParameterValueException",
        client.put_function_concurrency,
        FunctionName=name,
        ReservedConcurrentExecutions=95,
    )


def error_code(error: ClientError) -> tuple[str, int, str]:
    response = error.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Reason"]


def test_provisioned_concurrency_is_warm_before_the_first_call(functions, until):
    client, name = functions.client, functions.create(Publish=True)
    put = client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    assert put["Status"] == "IN_PROGRESS"

    def state() -> dict:
        return client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")

    until(lambda: state()["Status"] == "READY")
    assert state()["AllocatedProvisionedConcurrentExecutions"] == 2
    result, answer = functions.call(name, Qualifier="1", LogType="Tail")
    assert result["init"] == "provisioned-concurrency"
    assert b"Init Duration" not in base64.b64decode(answer["LogResult"])
    assert functions.call(name)[0]["init"] == "on-demand"
    (listed,) = client.list_provisioned_concurrency_configs(FunctionName=name)[
        "ProvisionedConcurrencyConfigs"
    ]
    assert listed["FunctionArn"].endswith(f":function:{name}:1")
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    refused(
        "ProvisionedConcurrencyConfigNotFoundException",
        client.get_provisioned_concurrency_config,
        FunctionName=name,
        Qualifier="1",
    )


def test_provisioned_concurrency_fails_with_the_reason(functions, until):
    client, name = functions.client, functions.create("import nothing_like_it", Publish=True)
    client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )

    def state() -> dict:
        return client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")

    until(lambda: state()["Status"] == "FAILED")
    assert "No module named 'nothing_like_it'" in state()["StatusReason"]


def test_provisioned_concurrency_refusals(functions):
    client, name = functions.client, functions.create(Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.create_alias(FunctionName=name, Name="next", FunctionVersion="$LATEST")
    put = client.put_provisioned_concurrency_config
    for qualifier in ("$LATEST", "next"):
        refused(
            "InvalidParameterValueException",
            put,
            FunctionName=name,
            Qualifier=qualifier,
            ProvisionedConcurrentExecutions=1,
        )
    refused(
        "ResourceNotFoundException", put, FunctionName=name, Qualifier="7", ProvisionedConcurrentExecutions=1
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    refused(
        "InvalidParameterValueException",
        put,
        FunctionName=name,
        Qualifier="live",
        ProvisionedConcurrentExecutions=3,
    )
    put(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2)
    refused(
        "InvalidParameterValueException",
        put,
        FunctionName=name,
        Qualifier="1",
        ProvisionedConcurrentExecutions=1,
    )
    client.delete_function(FunctionName=name)
    refused("ResourceNotFoundException", client.get_function, FunctionName=name)


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
def test_create_refuses_what_cannot_run(functions, settings):
    refused("InvalidParameterValueException", functions.create, **settings)


def test_role_that_does_not_trust_lambda_cannot_run(functions):
    trust = json.loads(json.dumps(TRUST).replace("lambda.", "ec2."))
    role = functions.role(LOGS, trust)
    answer = refused("InvalidParameterValueException", functions.create, Role=role)
    assert answer["Error"]["Message"] == "The role defined for the function cannot be assumed by Lambda."


def test_payload_limits(functions):
    name = functions.create("def handler(e, c): return len(e)")
    full = json.dumps("x" * (6_291_456 - 2)).encode()
    assert json.loads(functions.client.invoke(FunctionName=name, Payload=full)["Payload"].read()) == 6_291_454
    answer = refused(
        "RequestTooLargeException", functions.client.invoke, FunctionName=name, Payload=full + b" "
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
    refused(
        "RequestTooLargeException",
        functions.client.invoke,
        FunctionName=name,
        InvocationType="Event",
        Payload=b" " * 1_048_577,
    )
    refused("InvalidRequestContentException", functions.client.invoke, FunctionName=name, Payload=b"{no")


def test_client_context_reaches_the_handler_and_must_be_json(functions):
    name = functions.create("def handler(e, c): return c.client_context.custom")
    context = base64.b64encode(b'{"custom": {"a": "1"}}').decode()
    assert functions.call(name, ClientContext=context)[0] == {"a": "1"}
    for wrong in ("%%%", base64.b64encode(b"no json").decode(), base64.b64encode(b"[1]").decode()):
        answer = refused(
            "InvalidRequestContentException", functions.client.invoke, FunctionName=name, ClientContext=wrong
        )
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_layers_are_importable_and_the_last_one_wins(functions):
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


def test_dry_run_checks_and_runs_nothing(functions):
    name = functions.create()
    assert functions.client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    refused(
        "ResourceNotFoundException", functions.client.invoke, FunctionName="none", InvocationType="DryRun"
    )


def test_policies_belong_to_a_qualifier(functions):
    client, name = functions.client, functions.create(Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    grant = {"FunctionName": name, "Action": "lambda:InvokeFunction", "StatementId": "s"}
    client.add_permission(
        **grant,
        Principal="sns.amazonaws.com",
        Qualifier="live",
        SourceArn="arn:aws:sns:us-east-1:123456789012:t",
    )
    client.add_permission(**grant, Principal="123456789012")
    (alias,) = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert alias["Resource"].endswith(f":{name}:live")
    assert alias["Condition"] == {"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:123456789012:t"}}
    (plain,) = json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]
    assert plain["Resource"].endswith(f":function:{name}")
    assert plain["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    refused("ResourceConflictException", client.add_permission, **grant, Principal="sns.amazonaws.com")
    client.remove_permission(FunctionName=name, StatementId="s", Qualifier="live")
    refused("ResourceNotFoundException", client.get_policy, FunctionName=name, Qualifier="live")
    assert client.get_policy(FunctionName=name)


def test_settings_are_given_back_as_set(functions):
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
    for qualifier in (None, "1"):
        where = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
        client.create_function_url_config(**where, AuthType="AWS_IAM")
        refused("ResourceConflictException", client.create_function_url_config, **where, AuthType="NONE")
    urls = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert len({url["FunctionUrl"] for url in urls}) == 2
    config = {"FunctionName": name, "Qualifier": "1"}
    client.put_function_event_invoke_config(**config, MaximumRetryAttempts=1)
    client.put_function_event_invoke_config(**config, MaximumEventAgeInSeconds=60)
    found = client.get_function_event_invoke_config(**config)
    assert "MaximumRetryAttempts" not in found and found["FunctionArn"].endswith(f":{name}:1")
    refused("ResourceNotFoundException", client.get_function_event_invoke_config, FunctionName=name)
    refused(
        "InvalidParameterValueException",
        client.put_function_event_invoke_config,
        **config,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::bucket"}},
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


def test_operation_that_is_missing_is_refused_at_once(functions):
    name = functions.create()
    began = time.monotonic()
    with pytest.raises(ClientError) as error:
        functions.client.get_function_recursion_config(FunctionName=name)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert time.monotonic() - began < 2


@pytest.mark.slow
def test_restart_brings_provisioned_concurrency_back_and_leaves_no_process(new_embedded_aws, until):
    aws = new_embedded_aws()
    functions = Functions(aws)
    source = (
        "import os\ndef handler(e, c): return [os.getpid(), os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']]"
    )
    name = functions.create(source, Publish=True)
    where = {"FunctionName": name, "Qualifier": "1"}
    functions.client.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=1)

    def ready() -> bool:
        state = functions.client.get_provisioned_concurrency_config(**where)
        return state["Status"] == "READY" and state["AvailableProvisionedConcurrentExecutions"] == 1

    until(ready)
    (before, kind), _ = functions.call(name, Qualifier="1")
    assert kind == "provisioned-concurrency"
    aws.restart()
    assert not _alive(before)
    until(ready)
    (after, kind), _ = functions.call(name, Qualifier="1")
    assert (after != before, kind) == (True, "provisioned-concurrency")


@pytest.mark.slow
def test_provisioned_environment_that_dies_is_replaced(functions, until):
    source = "import os\ndef handler(e, c): os._exit(1) if e else None; return os.getpid()"
    client, name = functions.client, functions.create(source, Publish=True)
    where = {"FunctionName": name, "Qualifier": "1"}
    client.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=1)

    def available() -> bool:
        return (
            client.get_provisioned_concurrency_config(**where)["AvailableProvisionedConcurrentExecutions"]
            == 1
        )

    until(available)
    assert functions.call(name, True, Qualifier="1")[0]["errorType"] == "Runtime.ExitError"
    until(available)
    _, answer = functions.call(name, False, Qualifier="1", LogType="Tail")
    assert b"Init Duration" not in base64.b64decode(answer["LogResult"])


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().split()[2] != b"Z"
    except FileNotFoundError:
        return False
