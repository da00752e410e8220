"""Validation of requests, and paging of lists."""

import json
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from embedded_aws.services.sagemaker.requests import page, validated


def checked(operation: str, **request):
    response = SimpleNamespace(
        boto3_service_name="sagemaker", _get_action=lambda: operation, body=json.dumps(request)
    )
    return validated(response)


@pytest.mark.parametrize(
    "request_, message",
    [
        ({}, "Value at 'endpointName' failed to satisfy constraint: Member must not be null"),
        ({"EndpointName": "e", "EndpointConfigName": "c" * 64}, "length less than or equal to 63"),
        ({"EndpointName": "-", "EndpointConfigName": "c"}, "Member must satisfy regular expression pattern"),
        ({"EndpointName": 7, "EndpointConfigName": "c"}, "Member must be a string"),
        ({"EndpointName": "e", "EndpointConfigName": "c", "Tags": [{"Key": "k"}]}, "'tags.1.member.value'"),
    ],
)
def test_request_that_violates_the_model_is_refused(request_, message):
    with pytest.raises(Exception, match=message) as error:
        checked("CreateEndpoint", **request_)
    assert error.value.code == "ValidationException"


def test_every_violation_is_reported():
    with pytest.raises(Exception, match="2 validation errors detected: "):
        checked("CreateEndpoint")


def test_unknown_and_null_members_are_dropped():
    request = {"EndpointName": "e", "EndpointConfigName": "c", "Unknown": 1, "Tags": None}
    assert checked("CreateEndpoint", **request) == {"EndpointName": "e", "EndpointConfigName": "c"}


def test_timestamps_are_utc():
    request = checked("ListEndpoints", CreationTimeAfter=0)
    assert request["CreationTimeAfter"] == datetime(1970, 1, 1, tzinfo=timezone.utc)


ITEMS = [
    {"Name": name, "CreationTime": datetime(2026, 1, day, tzinfo=timezone.utc), "EndpointStatus": status}
    for name, day, status in (("beta", 1, "InService"), ("alpha", 3, "Failed"), ("gamma", 2, "InService"))
]


def listed(**request) -> list[str]:
    return [item["Name"] for item in page(ITEMS, request, "Items", "Name")["Items"]]


def test_list_is_sorted_and_filtered():
    assert listed() == ["alpha", "gamma", "beta"]
    assert listed(SortBy="Name", SortOrder="Ascending") == ["alpha", "beta", "gamma"]
    assert listed(NameContains="AL") == ["alpha"]
    assert listed(StatusEquals="InService") == ["gamma", "beta"]
    assert listed(CreationTimeAfter=datetime(2026, 1, 2, tzinfo=timezone.utc)) == ["alpha", "gamma"]


def test_next_token_returns_the_next_page():
    first = page(ITEMS, {"MaxResults": 2}, "Items")
    second = page(ITEMS, {"MaxResults": 2, "NextToken": first["NextToken"]}, "Items")
    assert [*first["Items"], *second["Items"]] == ITEMS and "NextToken" not in second
    with pytest.raises(Exception, match="NextToken"):
        page(ITEMS, {"NextToken": "no token"}, "Items")
