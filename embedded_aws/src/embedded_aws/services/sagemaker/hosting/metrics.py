"""CloudWatch metrics of endpoints: one datum per metric, variant and period, kept up to date in place."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws import runtime
from embedded_aws.services.cloudwatch.samples import Samples
from embedded_aws.services.sagemaker.hosting.live import Key

NAMESPACE = "AWS/SageMaker"
UNITS = {
    "ModelLatency": "Microseconds",
    "OverheadLatency": "Microseconds",
    "ModelSetupTime": "Microseconds",
    "TimeInBacklog": "Microseconds",
    "TotalProcessingTime": "Milliseconds",
    "ApproximateAgeOfOldestRequest": "Seconds",
    "ApproximateBacklogSize": "Count",
    "ApproximateBacklogSizePerInstance": "Count",
    "HasBacklogWithoutCapacity": "Count",
    "ExpiredRequests": "Count",
    "InvocationFailures": "Count",
    "InvocationsProcessed": "Count",
    "ServerlessProvisionedConcurrencyExecutions": "Count",
    "ServerlessProvisionedConcurrencyInvocations": "Count",
    "ServerlessProvisionedConcurrencySpilloverInvocations": "Count",
    "CPUUtilization": "Percent",
    "MemoryUtilization": "Percent",
}

_open: dict[tuple[Key, str | None, str, int], tuple[int, dict[str, Samples]]] = {}
_lock = threading.Lock()


def period() -> float:
    """Seconds of real time that a service's minute takes."""
    return 60.0 / runtime.current().time_scale


def minute(moment: float | None = None) -> int:
    """The number of the service's minute at a Unix time, now by default."""
    return int((time.time() if moment is None else moment) / period())


def record(
    key: Key, variant: str | None, values: dict[str, float], namespace: str = NAMESPACE, resolution: int = 60
) -> None:
    """Add one sample of each metric to the present period, of `resolution` of the service's seconds.

    variant: None for metrics of the endpoint.
    """
    seconds = resolution / runtime.current().time_scale
    now = int(time.time() / seconds)
    with _lock:
        number, data = _open.get((key, variant, namespace, resolution), (now, None))
        if data is None or number != now:
            data = {}
            _open[key, variant, namespace, resolution] = now, data
        for name, value in values.items():
            datum = data.get(name)
            if datum is None:
                datum = data[name] = _begin(key, variant, namespace, name, now * seconds, seconds)
            datum.add(value)


def forget(key: Key) -> None:
    """After an endpoint is deleted."""
    with _lock:
        for opened in [o for o in _open if o[0] == key]:
            del _open[opened]


def _begin(key: Key, variant: str | None, namespace: str, name: str, start: float, seconds: float) -> Samples:
    account, region, endpoint = key
    dimensions = {"EndpointName": endpoint, "VariantName": variant}
    # A little in: rounding must not put it into the period before. moto compares naive UTC times.
    moment = datetime.fromtimestamp(start + min(0.5, seconds / 2), timezone.utc)
    datum = Samples(
        namespace,
        name,
        [{"Name": member, "Value": value} for member, value in dimensions.items() if value],
        moment.replace(tzinfo=None),
        UNITS.get(name, "None"),
    )
    backend: Any = cloudwatch_backends[account][region]
    backend.forget_old()
    backend.metric_data.append(datum)
    return datum
