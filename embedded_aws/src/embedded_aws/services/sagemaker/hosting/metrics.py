"""CloudWatch metrics of endpoints: one datum per metric, variant and period, updated in place."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import Any, NamedTuple

from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.cloudwatch.samples import Samples
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey

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


class _Series(NamedTuple):
    """What a datum belongs to. config: set for the metrics of one endpoint configuration."""

    key: EndpointKey
    variant: str | None
    config: str | None
    namespace: str
    resolution: int


class EndpointMetrics:
    """Records samples of endpoint metrics."""

    def __init__(self, runtime: Runtime) -> None:
        self._time_scale = runtime.time_scale
        self._data: dict[_Series, tuple[int, dict[str, Samples]]] = {}
        self._lock = threading.Lock()

    @property
    def minute(self) -> float:
        """Seconds of real time in one minute of service time."""
        return 60.0 / self._time_scale

    def minute_number(self) -> int:
        """Return the number of the current minute of service time."""
        return int(time.time() / self.minute)

    def record(
        self,
        key: EndpointKey,
        variant: str | None,
        values: dict[str, float],
        namespace: str = NAMESPACE,
        resolution: int = 60,
        config: str | None = None,
    ) -> None:
        """Add one sample of each metric to the current period.

        variant: None for metrics of the whole endpoint.
        resolution: length of the period, in seconds of service time.
        config: the endpoint configuration of the fleet that served; the sample then also counts in the metrics with
            dimension EndpointConfigName, by which an alarm watches only the new fleet of an update.
        """
        seconds = resolution / self._time_scale
        now = int(time.time() / seconds)
        with self._lock:
            for series in {_Series(key, variant, None, namespace, resolution)} | (
                {_Series(key, variant, config, namespace, resolution)} if config else set()
            ):
                number, data = self._data.get(series, (now, None))
                if data is None or number != now:
                    data = {}
                    self._data[series] = now, data
                for name, value in values.items():
                    datum = data.get(name)
                    if datum is None:
                        datum = data[name] = _add_datum(series, name, now * seconds, seconds)
                    datum.add(value)

    def forget(self, key: EndpointKey) -> None:
        """Drop a deleted endpoint. Its recorded metrics stay in CloudWatch."""
        with self._lock:
            for current in [c for c in self._data if c.key == key]:
                del self._data[current]


def _add_datum(series: _Series, name: str, start: float, seconds: float) -> Samples:
    key = series.key
    dimensions = {
        "EndpointName": key.name,
        "VariantName": series.variant,
        "EndpointConfigName": series.config,
    }
    # Slightly after the start: rounding must not move it to the period before. moto compares naive UTC times.
    moment = datetime.fromtimestamp(start + min(0.5, seconds / 2), timezone.utc)
    datum = Samples(
        series.namespace,
        name,
        [{"Name": member, "Value": value} for member, value in dimensions.items() if value],
        moment.replace(tzinfo=None),
        UNITS.get(name, "None"),
    )
    backend: Any = cloudwatch_backends[key.account][key.region]
    backend.forget_old()
    backend.metric_data.append(datum)
    return datum
