"""Environments with unique names on the embedded AWS that all tests of a worker share."""

from __future__ import annotations

import uuid

import boto3
import pytest

from ops import settings
from ops.environment import Environment


@pytest.fixture
def planted(embedded_aws, monkeypatch) -> Environment:
    """An environment in an account where other environments have resources, too."""
    for name, value in embedded_aws.credentials.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded_aws.endpoint_url)
    chosen = settings.load("dev").model_copy(update={"project": f"p{uuid.uuid4().hex[:8]}"})
    return Environment(chosen, boto3.Session(region_name=chosen.region))
