"""CloudWatch metrics of endpoints: one datum per metric, variant and minute, kept up to date in place."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from local_aws import runtime
from local_aws.alarms.samples import Samples
from local_aws.sagemaker.hosting.live import Key

NAMESPACE = "AWS/SageMaker"
UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}

_open: dict[tuple[Key, str], tuple[int, dict[str, Samples]]] = {}
_lock = threading.Lock()


def period() -> float:
    """Seconds of real time that a service's minute takes."""
    return 60.0 / runtime.current().time_scale


def minute(moment: float | None = None) -> int:
    """The number of the service's minute at a Unix time, now by default."""
    return int((time.time() if moment is None else moment) / period())


def record(key: Key, variant: str, values: dict[str, float]) -> None:
    """Add one sample of each metric to the present minute."""
    now = minute()
    with _lock:
        number, data = _open.get((key, variant), (now, None))
        if data is None or number != now:
            data = {}
            _open[key, variant] = now, data
        for name, value in values.items():
            datum = data.get(name)
            if datum is None:
                datum = data[name] = _begin(key, variant, name, now)
            datum.add(value)


def sums(key: Key, variant: str, name: str, minutes: range) -> list[float]:
    """A metric's Sum in each of the service's minutes; 0 where nothing was recorded."""
    account, region, endpoint = key
    found = dict.fromkeys(minutes, 0.0)
    dimensions = {("EndpointName", endpoint), ("VariantName", variant)}
    for datum in reversed(cloudwatch_backends[account][region].metric_data):
        if datum.namespace == NAMESPACE and datum.name == name and isinstance(datum, Samples):
            began = datum.timestamp.replace(tzinfo=timezone.utc).timestamp()
            number = minute(began + period() / 1000)  # rounding must not put it into the minute before
            if number < minutes.start:
                break
            if number in found and {(d.name, d.value) for d in datum.dimensions} == dimensions:
                found[number] += datum.sum
    return list(found.values())


def _begin(key: Key, variant: str, name: str, number: int) -> Samples:
    account, region, endpoint = key
    # Half a second in: rounding must not put it into the minute before. moto compares naive UTC times.
    start = datetime.fromtimestamp(number * period() + min(0.5, period() / 2), timezone.utc)
    datum = Samples(
        NAMESPACE,
        name,
        [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        start.replace(tzinfo=None),
        UNITS.get(name, "None"),
    )
    backend: Any = cloudwatch_backends[account][region]
    backend.forget_old()
    backend.metric_data.append(datum)
    return datum
