"""Idle: the server uses almost no CPU, and little memory after use."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SECONDS = 3.0
MEBIBYTE = 1 << 20
# A call to each of the largest services: what moto and the gate load for it stays in memory.
CALLS = {
    "application-autoscaling": ("describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
    "cloudwatch": ("describe_alarms", {}),
    "ec2": ("describe_instances", {}),
    "iam": ("list_roles", {}),
    "kms": ("list_keys", {}),
    "lambda": ("list_functions", {}),
    "logs": ("describe_log_groups", {}),
    "s3": ("list_buckets", {}),
    "sagemaker": ("list_endpoints", {}),
    "ssm": ("describe_parameters", {}),
}


def _cpu_seconds(pid: int) -> float:
    fields = (
        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    """Return the anonymous memory of a process in bytes."""
    found = re.search(
        r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_an_idle_server_uses_little_cpu_and_memory(new_embedded_aws: Any, until: Any) -> None:
    aws = new_embedded_aws()
    pid = aws.address.pid
    for service, (operation, parameters) in CALLS.items():
        getattr(aws.client(service), operation)(**parameters)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="idle")
    for number in range(100):
        s3.put_object(Bucket="idle", Key=f"{number}", Body=bytes(50_000))
    snapshot = aws.home / "state" / "snapshot"
    written = time.time()
    until(lambda: snapshot.exists() and snapshot.stat().st_mtime > written)

    before = _cpu_seconds(pid)
    time.sleep(SECONDS)  # the measured interval
    assert _cpu_seconds(pid) - before < 0.03 * SECONDS
    assert _memory(pid) < 400 * MEBIBYTE
