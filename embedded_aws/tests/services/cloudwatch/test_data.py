"""Statistics and periods of metric data."""

from __future__ import annotations

import pytest
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum

from embedded_aws.services.cloudwatch.data import check_statistic, periods, series, statistic
from samples_kit import samples


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


def test_periods_selects_data_with_exactly_these_dimensions():
    datum = MetricDatum("n", "m", 1.0, [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}], None)
    wanted = [{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "1"}]
    assert series(periods([datum], "n", "m", wanted, 0, 1e12, 60), "Sum")
    assert not periods([datum], "n", "m", wanted[:1], 0, 1e12, 60)
    assert not periods([datum], "n", "m", [], 0, 1e12, 60)
