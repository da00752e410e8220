"""Settings of Studio applications."""

from __future__ import annotations

import pytest

from embedded_aws.services.sagemaker.workbench.apps import _idle_minutes, _merged


@pytest.mark.parametrize(
    ("user", "space", "minutes"),
    [
        ({}, {"IdleTimeoutInMinutes": 60}, None),  # not enabled
        ({"LifecycleManagement": "ENABLED"}, {}, None),
        ({"LifecycleManagement": "ENABLED", "IdleTimeoutInMinutes": 90}, {}, 90),
        ({"LifecycleManagement": "ENABLED", "IdleTimeoutInMinutes": 90}, {"IdleTimeoutInMinutes": 60}, 60),
        ({"LifecycleManagement": "ENABLED", "MaxIdleTimeoutInMinutes": 80}, {"IdleTimeoutInMinutes": 90}, 80),
        ({"LifecycleManagement": "ENABLED", "MinIdleTimeoutInMinutes": 70}, {"IdleTimeoutInMinutes": 60}, 70),
    ],
)
def test_idle_timeout_of_a_space_is_bounded_by_its_domain(user, space, minutes):
    settings = [{"AppLifecycleManagement": {"IdleSettings": idle}} for idle in (user, space)]
    assert _idle_minutes(*settings) == minutes


def test_user_settings_override_domain_settings():
    assert _merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": 5}) == {
        "a": {"b": 1, "c": 4},
        "d": 3,
        "e": 5,
    }
