"""An environment whose searches end by themselves."""

from __future__ import annotations

import pytest

from ml.jobs import retries, tuning_request
from tests.environments import with_clients
from tests.ml.jobs.search_kit import Sagemaker


@pytest.fixture
def sagemaker(account, monkeypatch, fast_clock):
    fake = Sagemaker()
    monkeypatch.setattr(
        tuning_request,
        "create",
        lambda *arguments: fake.jobs.update({arguments[-1]: ["InProgress", "Completed"]}),
    )
    monkeypatch.setattr(retries, "_create", fake.repeat)
    return fake


@pytest.fixture
def env(dev, sagemaker):
    """Environment dev with the fake SageMaker."""
    return with_clients(dev, sagemaker=sagemaker)
