"""Target tracking and step scaling policies, without a server."""

from __future__ import annotations

import pytest
from moto.applicationautoscaling.exceptions import AWSValidationException

from embedded_aws.services.applicationautoscaling.rules import StepScaling, TargetTracking

RULE = TargetTracking(target=100, scale_out_cooldown=300, scale_in_cooldown=300)


def test_three_points_above_the_target_scale_out_in_proportion():
    assert RULE.capacity([250, 250, 250], current=2) == 5


def test_fewer_points_above_the_target_change_nothing():
    assert RULE.capacity([250, 250], current=1) == 1
    assert RULE.capacity([250, 100, 250], current=1) == 1


def test_fifteen_points_below_the_target_scale_in():
    assert RULE.capacity([20] * 15, current=4) == 1
    assert RULE.capacity([20] * 14 + [45], current=4) == 2
    assert RULE.capacity([0] * 15, current=3) == 1


def test_fewer_points_below_the_target_change_nothing():
    assert RULE.capacity([0] * 14, current=3) == 3
    assert RULE.capacity([95] + [0] * 14, current=3) == 3


def test_values_just_below_the_target_change_nothing():
    assert RULE.capacity([95] * 15, current=3) == 3


def test_cooldown_allows_only_a_larger_step_out():
    assert RULE.capacity([150] * 3, current=2, since_out=299, last_added=1) == 2
    assert RULE.capacity([150] * 3, current=2, since_out=300, last_added=1) == 3
    assert RULE.capacity([300] * 3, current=2, since_out=10, last_added=1) == 6


def test_cooldown_delays_scaling_in():
    assert RULE.capacity([0] * 15, current=3, since_in=299) == 3
    assert RULE.capacity([0] * 15, current=3, since_in=300) == 1


def test_scaling_in_never_delays_scaling_out():
    assert RULE.capacity([200] * 3, current=1, since_in=1) == 2


def test_capacity_can_scale_in_to_zero_and_out_again():
    assert RULE.capacity([0] * 15, current=1, least=0) == 0
    assert RULE.capacity([250] * 3, current=0, least=0) == 3


def test_scaling_in_can_be_disabled():
    rule = TargetTracking.of({"TargetValue": 100, "DisableScaleIn": True})
    assert rule.capacity([0] * 15, current=3) == 3 and rule.scale_in_cooldown == 300


def steps(kind: str, *adjustments: tuple, **settings) -> StepScaling:
    step_adjustments = []
    for lower, upper, adjustment in adjustments:
        bounds = {"MetricIntervalLowerBound": lower, "MetricIntervalUpperBound": upper}
        step_adjustments.append(
            {k: v for k, v in bounds.items() if v is not None} | {"ScalingAdjustment": adjustment}
        )
    return StepScaling.of({"AdjustmentType": kind, "StepAdjustments": step_adjustments, **settings})


OUT = steps("ChangeInCapacity", (0, 10, 1), (10, None, 3))


@pytest.mark.parametrize("value, capacity", [(50, 3), (59.9, 3), (60, 5), (1000, 5), (49, 2)])
def test_distance_from_the_threshold_selects_the_step(value, capacity):
    assert OUT.capacity([value], threshold=50, current=2) == capacity


def test_steps_below_the_threshold_remove_instances():
    rule = steps("ChangeInCapacity", (None, -10, -2), (-10, 0, -1))
    assert rule.capacity([45], threshold=50, current=4) == 3
    assert rule.capacity([40], threshold=50, current=4) == 2
    assert rule.capacity([50], threshold=50, current=4) == 3


def test_every_adjustment_type():
    assert steps("ExactCapacity", (0, None, 7)).capacity([1], 0, current=2) == 7
    assert steps("PercentChangeInCapacity", (0, None, 50)).capacity([1], 0, current=5) == 7
    assert steps("PercentChangeInCapacity", (0, None, 10)).capacity([1], 0, current=2) == 3
    assert steps("PercentChangeInCapacity", (0, None, -50)).capacity([1], 0, current=5) == 3
    wide = steps("PercentChangeInCapacity", (0, None, 10), MinAdjustmentMagnitude=4)
    assert wide.capacity([1], 0, current=2) == 6


def test_values_are_aggregated_as_configured():
    highest = steps("ChangeInCapacity", (0, 10, 1), (10, None, 3), MetricAggregationType="Maximum")
    assert highest.capacity([51, 70], threshold=50, current=1) == 4
    assert OUT.capacity([51, 61], threshold=50, current=1) == 2


def test_cooldown_allows_only_a_larger_step():
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
def test_invalid_steps_are_refused(kind, adjustments):
    with pytest.raises(AWSValidationException):
        steps(kind, *adjustments)
