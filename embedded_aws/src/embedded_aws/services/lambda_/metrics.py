"""CloudWatch metrics in the namespace AWS/Lambda, aggregated before they are recorded."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow

from embedded_aws import ACCOUNT_ID
from embedded_aws.runtime import Runtime

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
FLUSH_SERVICE_SECONDS = 15.0  # on a fast clock: every minute of the service needs its data point
UNITS = {"Duration": "Milliseconds"}


class Metrics:
    """Collects values in memory and sends CloudWatch one data point per metric and second, more often on a fast clock.

    Durations keep every value, for percentiles. The other metrics are statistic sets.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._values: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]] = defaultdict(list)
        self._condition = threading.Condition()
        threading.Thread(target=self._run, name="lambda-metrics", daemon=True).start()

    def add(self, region: str, function: str, resource: str, values: dict[str, float]) -> None:
        """Record one invocation. resource: "NAME" or "NAME:QUALIFIER". values: by metric name."""
        sets = {(("FunctionName", function),), (("FunctionName", function), ("Resource", resource))}
        with self._condition:
            for name, value in values.items():
                for dimensions in sets:
                    self._values[region, name, dimensions].append(value)
            self._condition.notify()

    def flush(self) -> None:
        """Send the collected values."""
        with self._condition:
            collected, self._values = self._values, defaultdict(list)
        now = utcnow()
        data = defaultdict(list)
        for (region, name, dimensions), values in collected.items():
            datum = {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                "Timestamp": now,
                "Unit": UNITS.get(name, "Count"),
            }
            datum |= {"Values": values} if name == "Duration" else {"StatisticValues": _statistics(values)}
            data[region].append(datum)
        for region, metric_data in data.items():
            cloudwatch_backends[ACCOUNT_ID][region].put_metric_data("AWS/Lambda", metric_data)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._values)
            self._runtime.stopping.wait(min(FLUSH_SECONDS, FLUSH_SERVICE_SECONDS / self._runtime.time_scale))
            try:
                self.flush()
            except Exception:  # one invalid datum must not end this thread
                log.exception("metrics of functions could not be recorded")


def _statistics(values: list[float]) -> dict[str, float]:
    return {
        "Sum": sum(values),
        "Minimum": min(values),
        "Maximum": max(values),
        "SampleCount": float(len(values)),
    }
