"""What endpoints report by themselves: processor and memory of each variant, requests under way."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any, cast

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.sagemaker.models import sagemaker_backends

from embedded_aws import runtime
from embedded_aws.services.applicationautoscaling.alarms import CONCURRENCY
from embedded_aws.services.sagemaker.hosting import asynchronous, live, metrics

log = logging.getLogger(__name__)

NAMESPACE = "/aws/sagemaker/Endpoints"
SAMPLES = 5  # of the requests under way, in the ten seconds of a high-resolution metric
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def usage() -> dict[int, tuple[float, int]]:
    """Seconds of processor time so far and bytes of memory of every process group of this machine."""
    found: dict[int, tuple[float, int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        group, seconds = int(fields[2]), (int(fields[11]) + int(fields[12])) / TICK
        before = found.get(group, (0.0, 0))
        found[group] = before[0] + seconds, before[1] + int(fields[21]) * PAGE
    return found


class Telemetry:
    """Reports once a minute of the service, and requests under way more often where a policy follows them."""

    def __init__(self, current: runtime.Runtime):
        self._runtime = current
        self._seconds: dict[int, float] = {}  # by process group: processor time at the last report
        self._reported = time.monotonic()
        self._memory = os.sysconf("SC_PHYS_PAGES") * PAGE

    def run(self) -> None:
        """Until the embedded AWS stops."""
        minute = metrics.period()
        step = 10 / self._runtime.time_scale / SAMPLES
        last = metrics.minute()
        while True:
            wait = step if self._followed() else minute - time.time() % minute
            if self._runtime.stopping.wait(wait):
                return
            try:
                self._sample_concurrency()
                if metrics.minute() != last:
                    last = metrics.minute()
                    self._report_usage()
                    self._report_backlogs()
            except Exception:  # an endpoint that ends meanwhile must not end the reports of the others
                log.exception("telemetry failed")

    def _report_usage(self) -> None:
        """CPUUtilization in percent of one processor (as on AWS up to 100 x processors), MemoryUtilization in percent
        of this machine's memory; one sample per instance. Of serverless variants only the memory, in percent of
        their own."""
        instances = [
            (key, name, instance, fleet.memory_limit)
            for key, fleet in live.fleets()
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
            metrics.record(key, name, values, NAMESPACE)

    def _report_backlogs(self) -> None:
        """Of asynchronous endpoints; requests that found no healthy instance get another chance."""
        for account, region, name in {key for key, _ in live.fleets()}:
            backend: Any = sagemaker_backends[account][region]
            endpoint = backend.hosted_endpoints.get(name)
            if endpoint and (endpoint["Deployed"] or {}).get("AsyncInferenceConfig"):
                asynchronous.report((account, region, name), endpoint)
                asynchronous.work((account, region, name), endpoint)

    def _followed(self) -> set[tuple[live.Key, str]]:
        """The variants, by endpoint and name, that a policy scales by requests under way."""
        found: set[tuple[live.Key, str]] = set()
        for account, regions in list(applicationautoscaling_backends.items()):
            for region, backend in list(regions.items()):
                for resource in cast(Any, backend).tracked(CONCURRENCY):
                    _, endpoint, _, variant = resource.split("/")
                    found.add(((account, region, endpoint), variant))
        return found

    def _sample_concurrency(self) -> None:
        """ConcurrentRequestsPerModel: requests under way per instance."""
        followed = self._followed()
        for key, fleet in live.fleets() if followed else []:
            for name, instances in fleet.instances().items():
                if (key, name) in followed and instances:
                    value = sum(instance.in_flight for instance in instances) / len(instances)
                    metrics.record(key, name, {"ConcurrentRequestsPerModel": value}, resolution=10)
