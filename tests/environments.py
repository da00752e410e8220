"""Environments for tests: with other settings, with fake clients, in an AWS account inside the test's process."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.sagemaker.responses import SageMakerResponse

from ops.environment import Environment


def with_settings(env: Environment, **changes: Any) -> Environment:
    """Return an environment with other settings: a dict updates a section, any other value replaces a setting."""
    settings = env.settings
    update = {
        name: getattr(settings, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    changed = settings.model_copy(update=update)
    if isinstance(env, FakeEnvironment):
        return FakeEnvironment(Environment(changed, env.session), env.fakes)
    return Environment(changed, env.session)


class _FakeSession:
    """A session that returns fake clients for some services, and those of another session for all others."""

    def __init__(self, session: boto3.Session, clients: dict[str, Any]) -> None:
        self._real, self._clients = session, clients

    def client(self, service: str, **options: Any) -> Any:
        return self._clients.get(service) or self._real.client(service, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class FakeEnvironment(Environment):
    """An environment with some fake clients, whichever role it acts as."""

    def __init__(self, env: Environment, clients: dict[str, Any]) -> None:
        super().__init__(env.settings, _FakeSession(env.session, clients))  # type: ignore[arg-type]
        self.fakes = clients

    def client(self, service: str) -> Any:
        return self.fakes.get(service) or super().client(service)

    def acting_as(self, role_arn: str) -> Environment:
        return self

    def with_patience(self, seconds: float) -> Environment:
        return self


def with_clients(env: Environment, **clients: Any) -> Environment:
    """Return an environment with fake clients, by service; hyphens are underscores, `lambda` is `lambda_`."""
    return FakeEnvironment(env, {name.strip("_").replace("_", "-"): fake for name, fake in clients.items()})


class _CachingSession(boto3.Session):
    """A session that creates each client once, which takes as long as a short test."""

    @cache  # noqa: B019 (there is one session)
    def client(self, service: str, **options: Any) -> Any:
        return super().client(service, **options)


@pytest.fixture(scope="session")
def moto_session() -> boto3.Session:
    """One session for all tests, as it caches clients and service models."""
    session = _CachingSession("test", "test", region_name="us-east-1")
    nothing = SimpleNamespace(status_code=200), {"ProvisionedConcurrencyConfigs": []}  # unknown to moto
    session.events.register("before-call.lambda.ListProvisionedConcurrencyConfigs", lambda **_: nothing)
    return session


_UNKNOWN_TO_MOTO = (
    "list_apps",
    "list_notebook_instance_lifecycle_configs",
    "list_spaces",
    "list_studio_lifecycle_configs",
    "list_user_profiles",
)


@pytest.fixture
def moto_aws(monkeypatch):
    """An empty AWS account inside this process."""
    # moto treats conditions of bucket policies that it does not know as met: a denial of plain HTTP would deny everything.
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.PERMITTED)
    for operation in _UNKNOWN_TO_MOTO:
        monkeypatch.setattr(SageMakerResponse, operation, lambda *_: "{}", raising=False)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # 500 images that no test needs
    with mock_aws():
        yield
