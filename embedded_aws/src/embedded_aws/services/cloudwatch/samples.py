"""Samples of a metric in bounded memory: exact statistics, and percentiles within 1 %."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum

# Each bucket is 2 % wider than the one before, so that its middle is within 1 %. CloudWatch's sketch (SEH1): 10 %.
_STEP = math.log(1.02)
_ZERO = 40_000  # added to the number of a bucket, so that its sign can be the sign of the sample


def bucket(value: float) -> int:
    """Return the number of a sample's bucket. Numbers have the order of the values."""
    if value == 0:
        return 0
    number = math.ceil(math.log(abs(value)) / _STEP) + _ZERO
    return number if value > 0 else -number


def middle(number: int) -> float:
    """Return the middle value of a bucket."""
    if number == 0:
        return 0.0
    return math.copysign(math.exp((abs(number) - _ZERO - 0.5) * _STEP), number)


class Samples(MetricAggregatedDatum):
    """moto's datum, to which samples can be added."""

    def __init__(
        self,
        namespace: str,
        name: str,
        dimensions: list[dict[str, str]],
        timestamp: datetime | None,
        unit: Any = None,
    ) -> None:
        super().__init__(namespace, name, math.inf, -math.inf, 0.0, 0.0, dimensions, timestamp, unit)
        self.buckets: dict[int, float] = {}  # number of samples by bucket

    def add(self, value: float, count: float = 1.0) -> None:
        """Count a sample `count` times."""
        self.min, self.max = min(self.min, value), max(self.max, value)
        self.sample_count += count
        self.sum += value * count
        number = bucket(value)
        self.buckets[number] = self.buckets.get(number, 0.0) + count


def percentile(data: Iterable[Any], percent: float) -> float | None:
    """Return the percentile of the samples in moto's metric data.

    None if there are no samples or, as on AWS, if the data has a statistic set with different values.
    """
    counts: dict[int, float] = defaultdict(float)
    low, high = math.inf, -math.inf
    for datum in data:
        if isinstance(datum, Samples):
            for number, count in datum.buckets.items():
                counts[number] += count
        elif isinstance(datum, MetricAggregatedDatum):
            if datum.min != datum.max:
                return None
            counts[bucket(datum.min)] += datum.sample_count
        else:
            counts[bucket(datum.value)] += 1
        single = getattr(datum, "value", None)
        low = min(low, datum.min if single is None else single)
        high = max(high, datum.max if single is None else single)
    wanted, seen = percent / 100 * sum(counts.values()), 0.0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= wanted - 1e-9:
            return min(max(middle(number), low), high)
    return None
