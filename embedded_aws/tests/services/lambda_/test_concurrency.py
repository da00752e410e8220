"""Reserved and provisioned concurrency on the running embedded AWS."""

from __future__ import annotations

import base64

import pytest
from botocore.exceptions import ClientError

from functions_kit import HOLD, Functions, expect_error


@pytest.fixture(scope="module")
def functions(embedded_aws):
    return Functions(embedded_aws)


def test_invocations_above_the_reserved_concurrency_are_throttled(functions):
    client, name = functions.client, functions.create(HOLD)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 1}
    with functions.held(name):
        for _ in range(2):
            with pytest.raises(ClientError) as error:
                functions.call(name, "free")
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
            assert error_code(error.value) == ("TooManyRequestsException", 429, reason)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    response = expect_error("TooManyRequestsException", client.invoke, FunctionName=name)
    assert response["Reason"].startswith("Reserved")
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert functions.call(name)[0] == 1
    expect_error(
        "InvalidParameterValueException",
        client.put_function_concurrency,
        FunctionName=name,
        ReservedConcurrentExecutions=95,
    )


def error_code(error: ClientError) -> tuple[str, int, str]:
    response = error.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Reason"]


def test_provisioned_concurrency_is_initialized_before_the_first_call(functions, until):
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
    expect_error(
        "ProvisionedConcurrencyConfigNotFoundException",
        client.get_provisioned_concurrency_config,
        FunctionName=name,
        Qualifier="1",
    )


def test_failed_provisioned_concurrency_has_a_status_reason(functions, until):
    client, name = functions.client, functions.create("import nothing_like_it", Publish=True)
    client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )

    def state() -> dict:
        return client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")

    until(lambda: state()["Status"] == "FAILED")
    assert "No module named 'nothing_like_it'" in state()["StatusReason"]


def test_restart_ends_all_processes_and_restores_provisioned_concurrency(new_embedded_aws, until):
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


def test_dead_provisioned_environment_is_replaced(functions, until):
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
