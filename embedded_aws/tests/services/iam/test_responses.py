"""Policy simulation agrees with the authorization of requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow

ROLE = "arn:aws:iam::123456789012:role/simulated"


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _allow(actions: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


@pytest.fixture(scope="module")
def iam(embedded_aws):
    client = embedded_aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    client.create_role(RoleName="simulated", AssumeRolePolicyDocument=_policy(trust))
    statements = [
        _allow("s3:*", ["arn:aws:s3:::simulated", "arn:aws:s3:::simulated/*"]),
        {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"},
        _allow("ssm:GetParameter", "*", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}),
    ]
    client.put_role_policy(RoleName="simulated", PolicyName="p", PolicyDocument=_policy(*statements))
    return client


def _decisions(answer: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (result["EvalActionName"], result["EvalResourceName"]): result["EvalDecision"]
        for result in answer["EvaluationResults"]
    }


def test_simulation_agrees_with_requests(embedded_aws, iam) -> None:
    embedded_aws.client("s3").create_bucket(Bucket="simulated")
    embedded_aws.client("s3").put_object(Bucket="simulated", Key="k", Body=b"-")
    key, other = "arn:aws:s3:::simulated/k", "arn:aws:s3:::other/k"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    found = _decisions(
        iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=actions, ResourceArns=[key, other])
    )
    assert found == {
        ("s3:GetObject", key): "allowed",
        ("s3:PutObject", key): "allowed",
        ("s3:DeleteObject", key): "explicitDeny",
        ("s3:GetObject", other): "implicitDeny",
        ("s3:PutObject", other): "implicitDeny",
        ("s3:DeleteObject", other): "explicitDeny",
    }
    s3 = embedded_aws.client("s3", **embedded_aws.session_of("simulated"))
    calls = {
        "s3:GetObject": s3.get_object,
        "s3:PutObject": s3.put_object,
        "s3:DeleteObject": s3.delete_object,
    }
    for action, call in calls.items():
        for bucket in ("simulated", "other"):
            decision = found[action, f"arn:aws:s3:::{bucket}/k"]
            if decision == "allowed":
                call(Bucket=bucket, Key="k")
            else:
                with pytest.raises(ClientError, match="AccessDenied") as caught:
                    call(Bucket=bucket, Key="k")
                assert ("explicit deny" in str(caught.value)) == (decision == "explicitDeny")


def test_context_policies_and_boundary_of_the_request_are_used(iam) -> None:
    ask = {"PolicySourceArn": ROLE, "ActionNames": ["ssm:GetParameter"]}
    result = iam.simulate_principal_policy(**ask)["EvaluationResults"][0]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["aws:requestedregion"]
    region = {"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string"}
    for value, decision in (("us-east-1", "allowed"), ("eu-west-1", "implicitDeny")):
        entries = [region | {"ContextKeyValues": [value]}]
        result = iam.simulate_principal_policy(**ask, ContextEntries=entries)["EvaluationResults"][0]
        assert (result["EvalDecision"], result["MissingContextValues"]) == (decision, [])
    more = iam.simulate_principal_policy(**ask, PolicyInputList=[_policy(_allow("ssm:*", "*"))])
    assert more["EvaluationResults"][0]["EvalDecision"] == "allowed"
    bounded = iam.simulate_principal_policy(
        PolicySourceArn=ROLE,
        ActionNames=["s3:ListBucket"],
        ResourceArns=["arn:aws:s3:::simulated"],
        PermissionsBoundaryPolicyInputList=[_policy(_allow("ssm:*", "*"))],
    )["EvaluationResults"][0]
    assert bounded["EvalDecision"] == "implicitDeny"
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_custom_policies_are_simulated_in_pages(iam) -> None:
    ask = {
        "PolicyInputList": [_policy(_allow("s3:Get*", "*"))],
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
    }
    pages = list(
        iam.get_paginator("simulate_custom_policy").paginate(**ask, PaginationConfig={"PageSize": 1})
    )
    assert [list(_decisions(page).values()) for page in pages] == [["allowed"], ["implicitDeny"]]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"PolicySourceArn": ROLE + "-missing", "ActionNames": ["s3:GetObject"]}, "NoSuchEntity"),
        ({"PolicySourceArn": ROLE, "ActionNames": ["GetObject"]}, "InvalidInput"),
        (
            {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject"], "PolicyInputList": ["{"]},
            "InvalidInput",
        ),
    ],
)
def test_invalid_simulations_are_refused(iam, parameters: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        iam.simulate_principal_policy(**parameters)
    assert caught.value.response["Error"]["Code"] == code
