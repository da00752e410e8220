"""A metric's samples of one period: their statistics exactly, their percentiles to 1 %, in bounded memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum

# Buckets grow by 2 % each, so that their middles are within 1 %. CloudWatch's own sketch (SEH1) has 10 %.
_STEP = math.log(1.02)
_ZERO = 40_000  # added to a bucket's number: then a double's are all positive, and the sign is the sample's


def bucket(value: float) -> int:
    """The number of the bucket of a sample; numbers are in the order of the values."""
    if value == 0:
        return 0
    number = math.ceil(math.log(abs(value)) / _STEP) + _ZERO
    return number if value > 0 else -number


def middle(number: int) -> float:
    """The value that stands for a bucket's samples."""
    if number == 0:
        return 0.0
    return math.copysign(math.exp((abs(number) - _ZERO - 0.5) * _STEP), number)


class Samples(MetricAggregatedDatum):
    """A datum to which samples can be added; `buckets` counts them by `bucket`."""

    def __init__(
        self,
        namespace: str,
        name: str,
        dimensions: list[dict[str, str]],
        timestamp: datetime | None,
        unit: Any = None,
    ):
        super().__init__(namespace, name, math.inf, -math.inf, 0.0, 0.0, dimensions, timestamp, unit)
        self.buckets: dict[int, float] = {}

    def add(self, value: float, count: float = 1.0) -> None:
        """Count a sample `count` times."""
        self.min, self.max = min(self.min, value), max(self.max, value)
        self.sample_count += count
        self.sum += value * count
        number = bucket(value)
        self.buckets[number] = self.buckets.get(number, 0.0) + count


def percentile(data: Iterable[Any], percent: float) -> float | None:
    """The value that `percent` % of the samples of moto's metric data do not exceed.

    None if there is none, or where only a statistic set of differing values is known, as on AWS.
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
