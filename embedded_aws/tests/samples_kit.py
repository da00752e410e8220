"""Samples of a metric for unit tests."""

from __future__ import annotations

from collections.abc import Iterable

from embedded_aws.services.cloudwatch.samples import Samples


def samples(values: Iterable[float]) -> Samples:
    """Return a datum with the values."""
    made = Samples("test", "latency", [], None)
    for value in values:
        made.add(value)
    return made
