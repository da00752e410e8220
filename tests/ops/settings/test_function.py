"""Section [function] of an environment: valid values are accepted, invalid ones are refused."""

import pytest
from pydantic import ValidationError

from ops.settings.function import FunctionSettings

DAY = {"name": "day", "schedule": "cron(0 8 * * ? *)", "provisioned_concurrency": 4}


def test_schedules_and_access_are_accepted():
    settings = FunctionSettings(
        reserved_concurrency=4,
        schedules=[DAY],
        access={"function_url": True, "http_api": {"enabled": True, "rate_limit": 0.5}},
    )
    assert settings.schedules[0].timezone == "UTC"
    assert settings.access.http_api.burst_limit == 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reserved_concurrency": 1}, "1 is below the provisioned concurrency of 2"),
        ({"reserved_concurrency": 3, "schedules": [DAY]}, "3 is below the provisioned concurrency of 4"),
        ({"reserved_concurrency": 0}, "greater than or equal to 1"),
        ({"provisioned_concurrency": 0, "schedules": [DAY]}, "set provisioned_concurrency to 1 or more"),
        ({"schedules": [DAY, DAY]}, "two schedules are named day: give each a different name"),
        ({"schedules": [DAY | {"provisioned_concurrency": 0}]}, "greater than or equal to 1"),
        ({"schedules": [DAY | {"schedule": "daily"}]}, "should match pattern"),
        ({"access": {"http_api": {"rate_limit": 0}}}, "greater than 0"),
        ({"access": {"http_api": {"burst_limit": 0}}}, "greater than or equal to 1"),
        ({"access": {"function_url": "NONE"}}, "valid boolean"),
        ({"access": {"auth": "NONE"}}, "Extra inputs"),
    ],
)
def test_invalid_values_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        FunctionSettings(**wrong)
