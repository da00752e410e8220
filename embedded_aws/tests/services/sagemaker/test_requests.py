"""Parameters of requests, and paging of lists."""

from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from embedded_aws.iam.gate import CALL
from embedded_aws.services.sagemaker.requests import page, validated


def test_parameters_have_no_null_members_and_timestamps_in_utc():
    parameters = {"Name": "e", "Tags": None, "Days": [{"After": datetime(1970, 1, 1)}]}
    response = SimpleNamespace(
        normalized_request=SimpleNamespace(environ={CALL: SimpleNamespace(parameters=parameters)})
    )
    assert validated(response) == {
        "Name": "e",
        "Days": [{"After": datetime(1970, 1, 1, tzinfo=timezone.utc)}],
    }


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
