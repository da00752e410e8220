"""Periodic metrics of endpoints: CPU and memory of each variant, concurrent requests, backlogs."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, cast

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.sagemaker.models import sagemaker_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling.alarms import CONCURRENCY
from embedded_aws.services.sagemaker.hosting.asynchronous import AsyncInference
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.metrics import EndpointMetrics
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints

log = logging.getLogger(__name__)

NAMESPACE = "/aws/sagemaker/Endpoints"
SAMPLES = 5  # of concurrent requests, in the ten seconds of a high-resolution metric
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def usage() -> dict[int, tuple[float, int]]:
    """Return CPU seconds and bytes of memory of every process group of this machine."""
    found: dict[int, tuple[float, int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the process has ended
        group, seconds = int(fields[2]), (int(fields[11]) + int(fields[12])) / TICK
        before = found.get(group, (0.0, 0))
        found[group] = before[0] + seconds, before[1] + int(fields[21]) * PAGE
    return found


class Telemetry:
    """Reports every minute of service time, and concurrent requests more often where a scaling policy tracks them."""

    def __init__(
        self,
        runtime: Runtime,
        live: LiveEndpoints,
        metrics: EndpointMetrics,
        asynchronous: AsyncInference,
    ) -> None:
        self._runtime, self._live, self._metrics = runtime, live, metrics
        self._asynchronous = asynchronous
        self._seconds: dict[int, float] = {}  # CPU seconds of each process group at the last report
        self._reported = time.monotonic()
        self._memory = os.sysconf("SC_PHYS_PAGES") * PAGE

    def start(self) -> None:
        threading.Thread(target=self._run, name="telemetry", daemon=True).start()

    def _run(self) -> None:
        """Report until the embedded AWS stops."""
        minute = self._metrics.minute
        step = 10 / self._runtime.time_scale / SAMPLES
        last = self._metrics.minute_number()
        while True:
            wait = step if self._tracked() else minute - time.time() % minute
            if self._runtime.stopping.wait(wait):
                return
            try:
                self._sample_concurrency()
                if self._metrics.minute_number() != last:
                    last = self._metrics.minute_number()
                    self._report_usage()
                    self._report_backlogs()
            except Exception:  # an endpoint that ends at this moment must not end the reports of others
                log.exception("telemetry failed")

    def _report_usage(self) -> None:
        """Record CPUUtilization and MemoryUtilization, one sample per instance.

        CPUUtilization: percent of one processor, up to 100 times the number of processors, as on AWS.
        MemoryUtilization: percent of this machine's memory; for serverless variants, of their memory size.
        """
        instances = [
            (key, name, instance, fleet.memory_limit)
            for key, fleet in self._live.fleets()
            for name, instances in fleet.instances().items()
            for instance in instances
        ]
        now = time.monotonic()
        elapsed, self._reported = now - self._reported, now
        groups = usage() if instances else {}
        before, self._seconds = self._seconds, {}
        for key, name, instance, limit in instances:
            if instance.pid not in groups:
                continue
            seconds, memory = groups[instance.pid]
            self._seconds[instance.pid] = seconds
            used = max(0.0, seconds - before.get(instance.pid, seconds))
            values = {"MemoryUtilization": 100 * memory / (limit or self._memory)}
            if limit is None:
                values["CPUUtilization"] = 100 * used / elapsed
            self._metrics.record(key, name, values, NAMESPACE)

    def _report_backlogs(self) -> None:
        """Report the backlogs of asynchronous endpoints, and process requests that waited for a healthy instance."""
        for key in {key for key, _ in self._live.fleets()}:
            backend: Any = sagemaker_backends[key.account][key.region]
            endpoint = backend.hosted_endpoints.get(key.name)
            if endpoint and (endpoint["Deployed"] or {}).get("AsyncInferenceConfig"):
                self._asynchronous.report_backlog(key, endpoint)
                self._asynchronous.process(key, endpoint)

    def _tracked(self) -> set[tuple[EndpointKey, str]]:
        """Return the variants that a policy scales by concurrent requests."""
        found: set[tuple[EndpointKey, str]] = set()
        for account, regions in list(applicationautoscaling_backends.items()):
            for region, backend in list(regions.items()):
                for resource in cast(Any, backend).tracked(CONCURRENCY):
                    _, endpoint, _, variant = resource.split("/")
                    found.add((EndpointKey(account, region, endpoint), variant))
        return found

    def _sample_concurrency(self) -> None:
        """Record ConcurrentRequestsPerModel: concurrent requests per instance."""
        tracked = self._tracked()
        for key, fleet in self._live.fleets() if tracked else []:
            for name, instances in fleet.instances().items():
                if (key, name) in tracked and instances:
                    value = sum(instance.in_flight for instance in instances) / len(instances)
                    self._metrics.record(key, name, {"ConcurrentRequestsPerModel": value}, resolution=10)
