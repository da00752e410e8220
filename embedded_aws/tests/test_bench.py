"""Benchmark of the endpoint path."""

from __future__ import annotations

import pytest

from embedded_aws import bench

pytestmark = pytest.mark.slow


def test_the_embedded_aws_adds_little_latency(embedded_aws) -> None:
    figures = bench.measure(embedded_aws.address, embedded_aws.credentials, rounds=3, requests=40)
    endpoint, container, overhead = (figures[name] for name in ("endpoint", "container", "overhead"))
    assert 0 < container["median_ms"] < endpoint["median_ms"] <= endpoint["p99_ms"]
    assert overhead["median_ms"] == pytest.approx(endpoint["median_ms"] - container["median_ms"], abs=0.02)
    # Bounds for a busy machine; README.md has the figures of an idle one.
    assert overhead["median_ms"] < 15
    assert figures["invocations_per_second"] > 100
    runtime = embedded_aws.client("sagemaker-runtime")
    assert int(runtime.invoke_endpoint(EndpointName="bench", Body=b"x")["Body"].read()) > 0
    embedded_aws.client("sagemaker").delete_endpoint(EndpointName="bench")
