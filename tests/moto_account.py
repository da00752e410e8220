"""An AWS account inside the test's process, for code whose clients come from ops.aws."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from ops import aws


@pytest.fixture(scope="session")
def moto_session() -> boto3.Session:
    """One session for all tests, as it keeps the service models that it has read."""
    return boto3.Session("test", "test")


@pytest.fixture
def moto_aws(monkeypatch, moto_session):
    """An empty AWS account inside this process; clients of ops.aws reach it."""
    monkeypatch.setattr(
        aws,
        "_session",
        lambda region, role_arn: SimpleNamespace(client=partial(moto_session.client, region_name=region)),
    )
    # moto takes conditions of bucket policies that it does not know as met: a denial of plain HTTP denies all.
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.PERMITTED)
    aws._client.cache_clear()
    with mock_aws():
        yield
    aws._client.cache_clear()
