"""Step scaling and schedules by themselves."""

from datetime import datetime, timezone

import pytest
from moto.applicationautoscaling.exceptions import AWSValidationException

from embedded_aws.services.applicationautoscaling.rules import StepScaling
from embedded_aws.services.applicationautoscaling.schedules import Schedule


def steps(kind: str, *adjustments: tuple, **settings) -> StepScaling:
    made = []
    for lower, upper, adjustment in adjustments:
        bounds = {"MetricIntervalLowerBound": lower, "MetricIntervalUpperBound": upper}
        made.append({k: v for k, v in bounds.items() if v is not None} | {"ScalingAdjustment": adjustment})
    return StepScaling.of({"AdjustmentType": kind, "StepAdjustments": made, **settings})


OUT = steps("ChangeInCapacity", (0, 10, 1), (10, None, 3))


@pytest.mark.parametrize("value, capacity", [(50, 3), (59.9, 3), (60, 5), (1000, 5), (49, 2)])
def test_how_far_the_metric_is_beyond_the_threshold_chooses_the_step(value, capacity):
    assert OUT.capacity([value], threshold=50, current=2) == capacity


def test_steps_below_the_threshold_take_instances_away():
    rule = steps("ChangeInCapacity", (None, -10, -2), (-10, 0, -1))
    assert rule.capacity([45], threshold=50, current=4) == 3
    assert rule.capacity([40], threshold=50, current=4) == 2
    assert rule.capacity([50], threshold=50, current=4) == 3


def test_adjustments_of_every_kind():
    assert steps("ExactCapacity", (0, None, 7)).capacity([1], 0, current=2) == 7
    assert steps("PercentChangeInCapacity", (0, None, 50)).capacity([1], 0, current=5) == 7
    assert steps("PercentChangeInCapacity", (0, None, 10)).capacity([1], 0, current=2) == 3
    assert steps("PercentChangeInCapacity", (0, None, -50)).capacity([1], 0, current=5) == 3
    wide = steps("PercentChangeInCapacity", (0, None, 10), MinAdjustmentMagnitude=4)
    assert wide.capacity([1], 0, current=2) == 6


def test_values_are_aggregated():
    highest = steps("ChangeInCapacity", (0, 10, 1), (10, None, 3), MetricAggregationType="Maximum")
    assert highest.capacity([51, 70], threshold=50, current=1) == 4
    assert OUT.capacity([51, 61], threshold=50, current=1) == 2


def test_a_cooldown_holds_back_all_but_a_larger_step():
    assert OUT.capacity([51], 50, current=2, since=299, last_added=1) == 2
    assert OUT.capacity([51], 50, current=2, since=300, last_added=1) == 3
    assert OUT.capacity([90], 50, current=2, since=10, last_added=1) == 5


@pytest.mark.parametrize(
    "kind, adjustments",
    [
        ("Sideways", [(0, None, 1)]),
        ("ExactCapacity", []),
        ("ChangeInCapacity", [(0, 10, 1), (20, None, 2)]),
        ("ChangeInCapacity", [(10, 0, 1)]),
    ],
)
def test_steps_that_cannot_be_are_refused(kind, adjustments):
    with pytest.raises(AWSValidationException):
        steps(kind, *adjustments)


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
def test_when_a_schedule_is_due(expression, zone, after, until, due):
    assert Schedule(expression, zone).due(at(after), at(until), at("2026-03-01T00:00")) is due


def test_a_rate_runs_on_the_services_clock():
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
def test_what_is_no_schedule_is_refused(expression):
    with pytest.raises(AWSValidationException, match="not valid"):
        Schedule(expression)


def test_an_unknown_timezone_is_refused():
    with pytest.raises(AWSValidationException, match="Timezone Mars"):
        Schedule("rate(5 minutes)", "Mars")
