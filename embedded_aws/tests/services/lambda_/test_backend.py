"""Resource policies and provisioned concurrency configurations on the running embedded AWS."""

from __future__ import annotations

import json

import pytest

from functions_kit import Functions, expect_error


@pytest.fixture(scope="module")
def functions(embedded_aws):
    return Functions(embedded_aws)


def test_every_qualifier_has_its_own_resource_policy(functions):
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
    expect_error("ResourceConflictException", client.add_permission, **grant, Principal="sns.amazonaws.com")
    client.remove_permission(FunctionName=name, StatementId="s", Qualifier="live")
    expect_error("ResourceNotFoundException", client.get_policy, FunctionName=name, Qualifier="live")
    assert client.get_policy(FunctionName=name)


def test_put_provisioned_concurrency_config_refuses_invalid_requests(functions):
    client, name = functions.client, functions.create(Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.create_alias(FunctionName=name, Name="next", FunctionVersion="$LATEST")
    put = client.put_provisioned_concurrency_config
    for qualifier in ("$LATEST", "next"):
        expect_error(
            "InvalidParameterValueException",
            put,
            FunctionName=name,
            Qualifier=qualifier,
            ProvisionedConcurrentExecutions=1,
        )
    expect_error(
        "ResourceNotFoundException", put, FunctionName=name, Qualifier="7", ProvisionedConcurrentExecutions=1
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    expect_error(
        "InvalidParameterValueException",
        put,
        FunctionName=name,
        Qualifier="live",
        ProvisionedConcurrentExecutions=3,
    )
    put(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2)
    expect_error(
        "InvalidParameterValueException",
        put,
        FunctionName=name,
        Qualifier="1",
        ProvisionedConcurrentExecutions=1,
    )
    client.delete_function(FunctionName=name)
    expect_error("ResourceNotFoundException", client.get_function, FunctionName=name)
