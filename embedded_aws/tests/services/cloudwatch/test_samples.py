"""Percentiles of samples."""

from __future__ import annotations

import math
import random

import pytest
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum

from embedded_aws.services.cloudwatch.samples import bucket, middle, percentile
from samples_kit import samples


def test_percentiles_are_within_one_percent_in_bounded_memory():
    values = sorted(random.Random(1).lognormvariate(3, 2) for _ in range(20_000))
    datum = samples(values)
    for percent in (1, 50, 90, 99, 99.9):
        exact = values[math.ceil(percent / 100 * len(values)) - 1]
        assert percentile([datum], percent) == pytest.approx(exact, rel=0.011)
    assert percentile([datum], 100) == values[-1] and len(datum.buckets) < 1000


@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0, 12.5, -3.0, 1e300])
def test_middle_of_a_bucket_is_within_one_percent_of_its_samples(value):
    assert middle(bucket(value)) == pytest.approx(value, rel=0.011)


def test_buckets_have_the_order_of_the_values():
    values = [-1e6, -2, -1e-6, 0, 1e-6, 2, 1e6]
    assert sorted(values, key=bucket) == values


def test_percentiles_of_single_values_and_of_statistic_sets():
    single = [MetricDatum("n", "m", float(v), [], None) for v in range(1, 101)]
    assert percentile(single, 90) == pytest.approx(90, rel=0.011)
    equal = MetricAggregatedDatum("n", "m", 5, 5, 3, 15, [], None)
    differing = MetricAggregatedDatum("n", "m", 1, 9, 3, 15, [], None)
    assert percentile([equal], 99) == 5
    assert percentile([differing], 99) is None and percentile([], 99) is None
