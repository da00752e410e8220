"""The state of an alarm, from the tables of CloudWatch's documentation on missing data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import pytest

from embedded_aws.services.cloudwatch.evaluation import Rule

X, U, _ = 10.0, 0.0, None  # over the threshold, under it, missing


@pytest.mark.parametrize(
    "points, missing, ignore, breaching, not_breaching",
    [
        ([U, _, X, _, X], "OK", "OK", "OK", "OK"),
        ([_, _, _, _, U], "OK", "OK", "OK", "OK"),
        ([_, _, _, _, _], "INSUFFICIENT_DATA", "now", "ALARM", "OK"),
        ([U, X, X, _, X], "ALARM", "ALARM", "ALARM", "ALARM"),
        ([_, _, X, _, _], "ALARM", "now", "ALARM", "OK"),
    ],
)
def test_state_of_three_out_of_three_datapoints(points, missing, ignore, breaching, not_breaching):
    treatments = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, state in treatments.items():
        assert Rule("GreaterThanThreshold", 5, 3, 3, treatment).state(points, "now") == state, treatment


@pytest.mark.parametrize(
    "points, missing, ignore, breaching, not_breaching",
    [
        ([U, _, X, _, X], "ALARM", "ALARM", "ALARM", "ALARM"),
        ([U, U, X, U, X], "ALARM", "ALARM", "ALARM", "ALARM"),
        ([U, _, X, _, _], "OK", "OK", "ALARM", "OK"),
        ([_, _, _, _, U], "OK", "OK", "ALARM", "OK"),
        ([_, _, _, X, _], "ALARM", "now", "ALARM", "OK"),
    ],
)
def test_state_of_two_out_of_three_datapoints(points, missing, ignore, breaching, not_breaching):
    treatments = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, state in treatments.items():
        assert Rule("GreaterThanThreshold", 5, 3, 2, treatment).state(points, "now") == state, treatment


def test_one_datapoint_is_not_enough_for_three_out_of_three():
    assert Rule("GreaterThanThreshold", 5, 3, 3).state([_, _, _, _, X], "OK") == "OK"


@pytest.mark.parametrize(
    "comparison, at, over",
    [
        ("GreaterThanThreshold", False, True),
        ("GreaterThanOrEqualToThreshold", True, True),
        ("LessThanThreshold", False, False),
        ("LessThanOrEqualToThreshold", True, False),
    ],
)
def test_comparison_with_the_threshold(comparison, at, over):
    rule = Rule(comparison, 5, 1, 1)
    assert (rule.breaches(5), rule.breaches(6)) == (at, over)
