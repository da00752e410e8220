"""CPU utilization and status checks of instances, without a server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.services.ec2 import metrics
from embedded_aws.services.ec2.metrics import Process, Reporter

REGION = "ap-south-2"  # no other unit test uses it


def reporter(monkeypatch: Any, instance: Any, tables: list[dict[int, Process]], seconds: float) -> Reporter:
    """Return a reporter that reads the tables one after the other, `seconds` apart."""
    monkeypatch.setattr(metrics, "processes", iter(tables).__next__)
    clock = iter(1000.0 + n * seconds for n in range(len(tables)))
    monkeypatch.setattr(metrics.time, "monotonic", clock.__next__)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    service: Any = SimpleNamespace(running=lambda: [(instance, 10)])
    runtime: Any = SimpleNamespace(time_scale=1.0, stopping=threading.Event())
    return Reporter(runtime, service)


def host(**settings: Any) -> Any:
    described = {"id": f"i-{uuid.uuid4().hex}", "instance_type": "t3.medium", "monitored": True}
    return SimpleNamespace(**(described | {"region_name": REGION} | settings))


def recorded(instance: Any, name: str) -> list[float]:
    data = cloudwatch_backends[ACCOUNT_ID][REGION].metric_data
    return [d.value for d in data if d.name == name and d.dimensions[0].value == instance.id]  # type: ignore[attr-defined]


def table(seconds: float, state: str = "S") -> dict[int, Process]:
    return {
        1: Process(0, "S", 500.0),
        10: Process(1, state, 0.0),
        11: Process(10, "S", seconds / 2),
        12: Process(11, "R", seconds / 2),
        13: Process(1, "R", 999.0),  # of no instance
    }


def test_cpu_utilization_is_a_percentage_of_the_vcpus(monkeypatch):
    instance = host()
    under_test = reporter(monkeypatch, instance, [table(5), table(65), table(65), table(500)], 60)
    for number in range(4):
        under_test.report(number)
    # 60 s of CPU time in 60 s are half of two vCPUs. The utilization is at most 100 %.
    assert recorded(instance, "CPUUtilization") == [50.0, 0.0, 100.0]
    assert recorded(instance, "StatusCheckFailed") == [0.0] * 4


def test_basic_monitoring_has_a_datapoint_every_five_minutes(monkeypatch):
    instance = host(monitored=False)
    under_test = reporter(monkeypatch, instance, [table(60 * n) for n in range(11)], 60)
    for number in range(11):
        under_test.report(number)
    assert recorded(instance, "CPUUtilization") == [50.0, 50.0]


def test_stopped_or_ended_process_fails_the_status_check(monkeypatch):
    instance = host()
    gone = {1: Process(0, "S", 0.0)}
    under_test = reporter(monkeypatch, instance, [table(0), table(0, "T"), gone], 60)
    for number in range(3):
        under_test.report(number)
    assert recorded(instance, "StatusCheckFailed") == [0.0, 1.0, 1.0]
    assert recorded(instance, "StatusCheckFailed_Instance") == [0.0, 1.0, 1.0]
    assert recorded(instance, "StatusCheckFailed_System") == [0.0, 0.0, 0.0]


def test_processes_are_not_read_without_instances(monkeypatch):
    def look() -> None:
        pytest.fail("the processes were read")

    monkeypatch.setattr(metrics, "processes", look)
    service: Any = SimpleNamespace(running=list)
    Reporter(SimpleNamespace(time_scale=1.0), service).report(1)  # type: ignore[arg-type]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads /proc")
def test_processes_returns_real_processes():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE) as child:
        assert child.stdin
        while len(members := metrics.family(child.pid, found := metrics.processes())) < 2:
            assert child.poll() is None
        assert members[0] == child.pid and found[members[1]].parent == child.pid
        assert not metrics.is_impaired(members, found)
        child.stdin.write(b"\n")
