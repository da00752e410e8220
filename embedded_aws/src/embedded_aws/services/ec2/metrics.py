"""CloudWatch metrics of running instances in the namespace AWS/EC2: CPU utilization and status checks."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES

from embedded_aws import ACCOUNT_ID
from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2.instances import EmbeddedInstance
from embedded_aws.services.ec2.service import InstanceService

NAMESPACE = "AWS/EC2"
BASIC_MINUTES = 5
UNITS = {"CPUUtilization": "Percent"}
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A process of this machine."""

    parent: int
    """Process ID of the parent."""

    state: str
    """Letter as in ps."""

    seconds: float
    """CPU time, including that of ended children."""


def processes() -> dict[int, Process]:
    """Return the processes of this machine by their ID."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        ticks = sum(int(field) for field in fields[11:15])
        found[int(entry.parent.name)] = Process(int(fields[1]), fields[0], ticks / TICK)
    return found


def family(first: int, table: dict[int, Process]) -> list[int]:
    """Return a process and its descendants."""
    children = defaultdict(list)
    for pid, process in table.items():
        children[process.parent].append(pid)
    members = [first] if first in table else []
    for pid in members:  # grows in the loop
        members += children[pid]
    return members


def is_impaired(members: list[int], table: dict[int, Process]) -> bool:
    """Return whether an instance fails its status check: its first processes have ended or are stopped."""
    return not members or any(table[pid].state in "TtZX" for pid in members[:2])


class Reporter:
    """Records metrics once a minute of the service.

    CPUUtilization has a datapoint every minute with detailed monitoring, else every five minutes.
    """

    def __init__(self, runtime: Runtime, service: InstanceService) -> None:
        self._runtime, self._service = runtime, service
        # By instance: first process, its CPU seconds and the monotonic time of the last datapoint.
        self._before: dict[str, tuple[int, float, float]] = {}

    def run(self) -> None:
        """Record metrics until the embedded AWS stops."""
        minute = 60 / self._runtime.time_scale
        number = int(time.time() // minute)
        while True:
            number += 1
            if self._runtime.stopping.wait(max(0.0, number * minute - time.time())):
                return
            number = max(number, int(time.time() // minute))  # a busy machine may have missed some
            self.report(number)

    def report(self, number: int) -> None:
        """Record the metrics of the time before the start of the service's minute `number`."""
        running = self._service.running()
        if not running:
            self._before.clear()
            return
        table = processes()
        if not table:
            return  # the system has no /proc
        minute = 60 / self._runtime.time_scale
        # Slightly before the start: within the last period. Naive UTC, as moto needs it.
        end = datetime.fromtimestamp(number * minute - min(0.02, minute / 10), timezone.utc)
        moment = end.replace(tzinfo=None)
        data: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for instance, first in running:
            members = family(first, table)
            failed = float(is_impaired(members, table))
            values = {
                "StatusCheckFailed": failed,
                "StatusCheckFailed_Instance": failed,
                "StatusCheckFailed_System": 0.0,
            }
            seconds = sum(table[pid].seconds for pid in members)
            percent = self._percent(
                instance, first, seconds, instance.monitored or number % BASIC_MINUTES == 0
            )
            if percent is not None:
                values["CPUUtilization"] = percent
            data[instance.region_name] += [
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "InstanceId", "Value": instance.id}],
                    "Value": value,
                    "Unit": UNITS.get(name, "Count"),
                    "Timestamp": moment,
                }
                for name, value in values.items()
            ]
        self._before = {i.id: self._before[i.id] for i, _ in running if i.id in self._before}
        for region, found in data.items():
            cloudwatch_backends[ACCOUNT_ID][region].put_metric_data(NAMESPACE, found)

    def _percent(self, instance: EmbeddedInstance, first: int, seconds: float, due: bool) -> float | None:
        """Return the CPU utilization since the last datapoint; None unless one is due.

        100 % are the instance's vCPUs, or this machine's processors if it has fewer. After a boot, the first
        datapoint comes one minute later.
        """
        now = time.monotonic()
        boot, spent, since = self._before.get(instance.id, (0, 0.0, 0.0))
        if boot != first:
            self._before[instance.id] = (first, seconds, now)
            return None
        if not due:
            return None
        self._before[instance.id] = (first, seconds, now)
        vcpus = INSTANCE_TYPES[instance.instance_type]["VCpuInfo"]["DefaultVCpus"]
        used = max(0.0, seconds - spent) / (now - since)
        return min(100.0, 100 * used / min(int(vcpus), os.cpu_count() or 1))
