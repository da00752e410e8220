"""An environment with a foundation and data, in an AWS account inside the test's process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from ml.jobs import data
from ml.jobs.data.manifest import ImageEntry, Manifest
from ops import settings, waiting
from ops.environment import Environment
from ops.outputs import Foundation, Serving, parameter
from tests.environments import moto_aws, moto_session, with_settings  # noqa: F401

BUCKET = "image-classifier-dev-123456789012-us-east-1"


def pytest_configure() -> None:
    """Handle signals that the shell lets pytest ignore, so that commands that tests start do not inherit that.

    A shell ignores SIGINT for its background jobs, and nohup ignores SIGHUP. A child process inherits what is ignored,
    but no handler. SIGHUP gets a handler that does nothing: under nohup, the tests go on when the terminal closes.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)


@pytest.fixture(autouse=True)
def restored_environment_variables() -> Iterator[None]:
    """Undo what the test, or a command that it calls in this process, changes in os.environ."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def dev(moto_session) -> Environment:  # noqa: F811
    """Environment dev with a network that needs no weights."""
    env = Environment(settings.load("dev"), moto_session)
    return with_settings(env, model={"architecture": "small_cnn", "mode": "from-scratch"})


@pytest.fixture
def prod(moto_session) -> Environment:  # noqa: F811
    """Environment prod."""
    return Environment(settings.load("prod"), moto_session)


@pytest.fixture
def foundation() -> Foundation:
    """The outputs of stack foundation of dev."""
    role = "arn:aws:iam::123456789012:role/image-classifier-dev"
    return Foundation(
        account_id="123456789012",
        bucket=BUCKET,
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
        training_role_arn=f"{role}-training",
        processing_role_arn=f"{role}-processing",
        tuning_role_arn=f"{role}-tuning",
        endpoint_role_arn=f"{role}-endpoint",
        model_package_group_name="image-classifier-dev",
        model_package_group_arn="arn:aws:sagemaker:us-east-1:123456789012:model-package-group/image-classifier-dev",
        ec2_log_group="/image-classifier/dev/ec2",
    )


@pytest.fixture
def serving() -> Serving:
    """The outputs of stack serving of dev."""
    package = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev/1"
    return Serving(
        endpoint_name="image-classifier-dev",
        endpoint_config_name="image-classifier-dev-new",
        model_package_arn=package,
        variants={"AllTraffic": package},
        hosting="instance",
        instance_type="ml.m5.large",
        scaled_variants=["AllTraffic"],
        min_capacity=1,
        max_capacity=3,
        scheduled=False,
        function_name="image-classifier-dev-inference",
        function_alias="live",
        function_alias_arn="arn:alias",
        function_version="7",
        provisioned_concurrency=2,
        provisioned_qualifier="7",
    )


@pytest.fixture
def manifest() -> Manifest:
    """Ten images of two classes in each split."""
    keys = [
        f"{split}/{name}/{n}.png" for split in ("train", "valid", "test") for name in "01" for n in range(5)
    ]
    return Manifest("sample", {k: ImageEntry(hashlib.sha256(k.encode()).hexdigest(), 9) for k in keys})


class Account:
    """The AWS account of the test."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def publish(self, name: str, value: Any) -> None:
        """Write stack outputs to SSM as Terraform does."""
        self._env.client("ssm").put_parameter(
            Name=parameter(self._env.settings, name), Value=json.dumps(value), Type="String", Overwrite=True
        )

    def upload(self, manifest: Manifest) -> None:
        """Make a manifest the current data set, without images."""
        key, s3 = f"datasets/{manifest.dataset}/manifest.json", self._env.client("s3")
        s3.put_object(Bucket=BUCKET, Key=key, Body=manifest.to_json().encode())
        pointer = {"dataset": manifest.dataset, "manifest_key": key, "hash": manifest.hash}
        s3.put_object(Bucket=BUCKET, Key="datasets/current.json", Body=json.dumps(pointer).encode())


@pytest.fixture
def account(moto_aws, dev, foundation, manifest) -> Account:  # noqa: F811
    """The account with the outputs of the foundation, and data."""
    dev.client("s3").create_bucket(Bucket=BUCKET)
    found = Account(dev)
    found.publish("foundation", foundation.model_dump())
    found.upload(manifest)
    assert data.current(dev).hash == manifest.hash
    return found


@pytest.fixture
def fast_clock(monkeypatch) -> list[float]:
    """Let waits pass at once. Returns the seconds of each pause."""
    pauses: list[float] = []
    monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses)))
    return pauses
