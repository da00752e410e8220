"""Schedule expressions."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from moto.applicationautoscaling.exceptions import AWSValidationException

from embedded_aws.services.applicationautoscaling.schedules import Schedule


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    "expression, zone, after, until, due",
    [
        ("at(2026-03-01T10:00:00)", "UTC", "2026-03-01T09:59", "2026-03-01T10:00", True),
        ("at(2026-03-01T10:00:00)", "UTC", "2026-03-01T10:00", "2026-03-01T10:01", False),
        ("at(2026-03-01T10:00:00)", "Europe/Paris", "2026-03-01T08:59", "2026-03-01T09:00", True),
        ("rate(5 minutes)", "UTC", "2026-03-01T00:04", "2026-03-01T00:05", True),
        ("rate(5 minutes)", "UTC", "2026-03-01T00:05", "2026-03-01T00:09", False),
        ("rate(1 hour)", "UTC", "2026-03-01T00:00", "2026-03-01T00:01", False),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-03-02T07:59", "2026-03-02T08:00", True),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-03-01T07:59", "2026-03-01T08:00", False),
        ("cron(0 8 ? * MON-FRI *)", "Asia/Tokyo", "2026-03-01T22:59", "2026-03-01T23:00", True),
        ("cron(*/15 9-17 1,15 * ? *)", "UTC", "2026-03-15T09:40", "2026-03-15T09:45", True),
        ("cron(*/15 9-17 1,15 * ? *)", "UTC", "2026-03-15T09:46", "2026-03-15T09:59", False),
        ("cron(0 0 1 JAN ? 2027)", "UTC", "2026-12-31T23:59", "2027-01-01T00:00", True),
    ],
)
def test_schedule_is_due(expression, zone, after, until, due):
    assert Schedule(expression, zone).due(at(after), at(until), at("2026-03-01T00:00")) is due


def test_rate_runs_on_the_clock_of_the_service():
    began = at("2026-03-01T00:00")
    assert Schedule("rate(1 hour)").due(began + 59, began + 60, began, time_scale=60)
    assert not Schedule("rate(1 hour)").due(began + 60, began + 61, began, time_scale=60)


@pytest.mark.parametrize(
    "expression",
    [
        "every day",
        "at(2026-13-01T00:00:00)",
        "rate(0 minutes)",
        "rate(5 weeks)",
        "cron(0 8 * * *)",
        "cron(0 8 * * * *)",
        "cron(0 8 L * ? *)",
        "cron(61 8 ? * 2 *)",
    ],
)
def test_invalid_expression_is_refused(expression):
    with pytest.raises(AWSValidationException, match="not valid"):
        Schedule(expression)


def test_unknown_time_zone_is_refused():
    with pytest.raises(AWSValidationException, match="Timezone Mars"):
        Schedule("rate(5 minutes)", "Mars")
