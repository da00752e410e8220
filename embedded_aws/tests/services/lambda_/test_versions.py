"""Versions and aliases on the running embedded AWS."""

from __future__ import annotations

import pytest

from functions_kit import Functions, expect_error, package


@pytest.fixture(scope="module")
def functions(embedded_aws):
    return Functions(embedded_aws)


def test_version_is_published_only_after_a_change_and_stays_as_it_was(functions):
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
    expect_error("ResourceNotFoundException", client.invoke, FunctionName=name, Qualifier="1")
    expect_error(
        "InvalidParameterValueException", client.publish_version, FunctionName=name, CodeSha256="x" * 44
    )
    expect_error("PreconditionFailedException", client.publish_version, FunctionName=name, RevisionId="x")


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
    expect_error("ResourceConflictException", client.delete_function, FunctionName=name, Qualifier="2")
    expect_error(
        "InvalidParameterValueException",
        client.create_alias,
        FunctionName=name,
        Name="bad",
        FunctionVersion="$LATEST",
        RoutingConfig=weights,
    )
    expect_error("ResourceNotFoundException", client.invoke, FunctionName=name, Qualifier="gone")
