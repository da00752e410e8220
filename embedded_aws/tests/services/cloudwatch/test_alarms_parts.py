"""CloudWatch's arithmetic by itself: percentiles, metric maths, and when an alarm is in ALARM."""

import math
import random

import pytest
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum

from embedded_aws.services.cloudwatch import composite, expressions
from embedded_aws.services.cloudwatch.data import check_statistic, periods, series, statistic
from embedded_aws.services.cloudwatch.evaluation import Rule
from embedded_aws.services.cloudwatch.queries import check, evaluate
from embedded_aws.services.cloudwatch.samples import Samples, bucket, middle, percentile

X, U, _ = 10.0, 0.0, None  # over the threshold, under it, missing


def samples(values) -> Samples:
    made = Samples("test", "latency", [], None)
    for value in values:
        made.add(value)
    return made


# Percentiles


def test_percentiles_are_within_one_percent_in_bounded_memory():
    values = sorted(random.Random(1).lognormvariate(3, 2) for _ in range(20_000))
    made = samples(values)
    for percent in (1, 50, 90, 99, 99.9):
        exact = values[math.ceil(percent / 100 * len(values)) - 1]
        assert percentile([made], percent) == pytest.approx(exact, rel=0.011)
    assert percentile([made], 100) == values[-1] and len(made.buckets) < 1000


@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0, 12.5, -3.0, 1e300])
def test_the_middle_of_a_bucket_stands_for_its_samples(value):
    assert middle(bucket(value)) == pytest.approx(value, rel=0.011)


def test_buckets_are_ordered_as_their_values():
    values = [-1e6, -2, -1e-6, 0, 1e-6, 2, 1e6]
    assert sorted(values, key=bucket) == values


def test_percentiles_of_single_values_and_of_statistic_sets():
    single = [MetricDatum("n", "m", float(v), [], None) for v in range(1, 101)]
    assert percentile(single, 90) == pytest.approx(90, rel=0.011)
    equal = MetricAggregatedDatum("n", "m", 5, 5, 3, 15, [], None)
    differing = MetricAggregatedDatum("n", "m", 1, 9, 3, 15, [], None)
    assert percentile([equal], 99) == 5
    assert percentile([differing], 99) is None and percentile([], 99) is None


def test_basic_statistics_over_data_of_all_kinds():
    data = [
        MetricDatum("n", "m", 4.0, [], None),
        samples([1, 2]),
        MetricAggregatedDatum("n", "m", 0, 9, 3, 15, [], None),
    ]
    found = {stat: statistic(data, stat) for stat in ("Sum", "SampleCount", "Average", "Minimum", "Maximum")}
    assert found == {"Sum": 22, "SampleCount": 6, "Average": 22 / 6, "Minimum": 0, "Maximum": 9}


def test_unknown_statistics_are_refused():
    for stat in ("p50", "p99.9", "p100", "Sum"):
        check_statistic(stat)
    for stat in ("tm90", "p101", "sum", "p"):
        with pytest.raises(ValidationError):
            check_statistic(stat)


def test_dimensions_must_be_exactly_these():
    datum = MetricDatum("n", "m", 1.0, [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}], None)
    wanted = [{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "1"}]
    assert series(periods([datum], "n", "m", wanted, 0, 1e12, 60), "Sum")
    assert not periods([datum], "n", "m", wanted[:1], 0, 1e12, 60)
    assert not periods([datum], "n", "m", [], 0, 1e12, 60)


# Metric maths

M1, M2 = {0.0: 1.0, 60.0: 2.0, 120.0: 3.0}, {0.0: 10.0, 120.0: 0.0}
TIMES = [0.0, 60.0, 120.0]


@pytest.mark.parametrize(
    "expression, value",
    [
        ("m1 + m2", {0.0: 11.0, 120.0: 3.0}),
        ("100 * m1 / m2", {0.0: 10.0}),
        ("m1 - 1", {0.0: 0.0, 60.0: 1.0, 120.0: 2.0}),
        ("-(m1 * 2)", {0.0: -2.0, 60.0: -4.0, 120.0: -6.0}),
        ("FILL(m2, 5)", {0.0: 10.0, 60.0: 5.0, 120.0: 0.0}),
        ("FILL(m2, REPEAT)", {0.0: 10.0, 60.0: 10.0, 120.0: 0.0}),
        ("SUM([m1, m2])", {0.0: 11.0, 60.0: 2.0, 120.0: 3.0}),
        ("MAX(METRICS())", {0.0: 10.0, 60.0: 2.0, 120.0: 3.0}),
        ("AVG([m1, m2])", {0.0: 5.5, 60.0: 2.0, 120.0: 1.5}),
        ("MIN(m1)", 1.0),
        ("IF(m1 > 1, m1, 0)", {0.0: 0.0, 60.0: 2.0, 120.0: 3.0}),
        ("IF(m1 > 1 AND m1 < 3, 1, 0)", {0.0: 0.0, 60.0: 1.0, 120.0: 0.0}),
        ("IF(m1 > 2 || m1 == 1, 1, 0)", {0.0: 1.0, 60.0: 0.0, 120.0: 1.0}),
        ("SUM([FILL(m1, 0), FILL(m2, 0)]) / 2", {0.0: 5.5, 60.0: 1.0, 120.0: 1.5}),
    ],
)
def test_expressions(expression, value):
    tree = expressions.parse(expression)
    assert expressions.evaluate(tree, {"m1": M1, "m2": M2}, TIMES, ["m1", "m2"]) == value


@pytest.mark.parametrize(
    "expression",
    ["m1 +", "ANOMALY_DETECTION_BAND(m1)", "m1.x", "__import__('os')", "m1[0]", "1 < m1 < 2", "'text'.x"],
)
def test_expressions_outside_the_subset_are_refused(expression):
    with pytest.raises(ValidationError):
        expressions.parse(expression)


def test_queries_use_one_another_in_any_order():
    data = [MetricDatum("n", "m", 6.0, [], None)]
    data[0].timestamp = data[0].timestamp.replace(year=2020, month=1, day=1, hour=0, minute=0, second=30)
    start = 1577836800.0
    metric = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    asked = [
        {"Id": "e2", "Expression": "e1 + 1"},
        {"Id": "e1", "Expression": "FILL(m1, 0) / 2"},
        {"Id": "m1", "MetricStat": metric},
    ]
    check(asked)
    found = evaluate(data, asked, start, start + 120)
    assert found["e2"] == {start: 4.0, start + 60: 1.0}
    with pytest.raises(ValidationError, match="uses itself"):
        evaluate(data, [{"Id": "e1", "Expression": "e1 + 1"}], start, start + 60)
    with pytest.raises(ValidationError, match="unknown identifier m9"):
        check([{"Id": "e1", "Expression": "m9 + 1"}])


# States: the tables of CloudWatch's documentation on missing data, which show an evaluation range of five points


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
def test_three_of_three(points, missing, ignore, breaching, not_breaching):
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
def test_two_of_three(points, missing, ignore, breaching, not_breaching):
    treatments = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, state in treatments.items():
        assert Rule("GreaterThanThreshold", 5, 3, 2, treatment).state(points, "now") == state, treatment


def test_one_point_is_no_alarm_of_three():
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
def test_comparisons(comparison, at, over):
    rule = Rule(comparison, 5, 1, 1)
    assert (rule.breaches(5), rule.breaches(6)) == (at, over)


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("ALARM(a)", True),
        ("OK(a)", False),
        ('ALARM("a") AND OK("b")', True),
        ("NOT ALARM(a) OR ALARM(a)", True),
        ("OK(a) AND OK(b) OR OK(b)", True),  # AND binds closer than OR
        ("OK(a) AND (OK(b) OR OK(b))", False),
        ("NOT (ALARM(a) AND OK(b))", False),
        ("INSUFFICIENT_DATA(with (brackets) no)", None),
        ('INSUFFICIENT_DATA("with (brackets)")', True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a) and not false", True),
        ("TRUE", True),
        ("FALSE OR NOT TRUE", False),
        ("ALARM(a) OK(b)", None),
        ("ALARM(a) AND", None),
        ("(ALARM(a)", None),
        ("BROKEN(a)", None),
        ("ALARM()", None),
        ("", None),
    ],
)
def test_rules_of_composite_alarms(rule, expected):
    states = {"a": "ALARM", "b": "OK", "with (brackets)": "INSUFFICIENT_DATA"}
    if expected is None:
        with pytest.raises(ValidationError):
            composite.parse(rule)
    else:
        assert composite.holds(composite.parse(rule), states.__getitem__) is expected


def test_a_rule_names_its_children():
    rule = composite.parse('ALARM(a) AND (NOT OK("b c") OR ALARM(a)) AND TRUE')
    assert list(composite.children(rule)) == ["a", "b c", "a"]
    with pytest.raises(ValidationError, match="500"):
        composite.parse(" OR ".join(["TRUE"] * 300))
