"""Processes of a job."""

from __future__ import annotations

import pytest

from embedded_aws.services.sagemaker.training.cluster import threads_per_instance


@pytest.mark.parametrize(("instances", "share"), [(1, 1), (2, 1), (64, 4)])
def test_threads_are_divided_among_instances(instances: int, share: int, monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert threads_per_instance(instances, share) == max(1, 8 // (instances * share))
