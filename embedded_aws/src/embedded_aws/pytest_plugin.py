"""pytest fixtures: servers, started when a test first requests one and shared by the tests of a worker.

Load with `-p embedded_aws.pytest_plugin`.
"""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader

from embedded_aws import client, service_models
from embedded_aws.listener import ANY_PORT
from embedded_aws.server_process import OWNER

REGION = "us-east-1"


def pytest_configure() -> None:
    """Let every server that this process or its children start stop with it, even after `kill -9`."""
    os.environ[OWNER] = str(os.getpid())


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect tests without collections of garbage, and leave the imported modules out of all later ones."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest selects tests by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a running server as slow."""
    servers = {"embedded_aws", "fast_embedded_aws", "fresh_embedded_aws", "new_embedded_aws"}
    for item in items:
        if servers & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


class EmbeddedAws:
    """A running embedded AWS.

    credentials: AWS_* variables that point tools at it, as root.
    """

    def __init__(self, home: Path, time_scale: float = 1.0):
        self.home, self.time_scale = home, time_scale
        self.address = client.start(home, ANY_PORT, time_scale)
        self.port = self.address.port
        self._session = boto3.Session()  # shared by all clients: it parses each service model once

    @property
    def endpoint_url(self) -> str:
        return self.address.endpoint_url

    @property
    def credentials(self) -> dict[str, str]:
        return client.variables(self.home, REGION)

    def client(self, service: str, **overrides: Any) -> Any:
        """Return a boto3 client that does not retry, with root credentials unless `overrides` has others."""
        variables = self.credentials
        settings: dict[str, Any] = {
            "region_name": REGION,
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return self._session.client(service, **(settings | overrides))

    def session_of(self, role_name: str) -> dict[str, str]:
        """Return arguments for `client` with the credentials of a role."""
        identity = self.client("sts")
        arn = f"arn:aws:iam::{identity.get_caller_identity()['Account']}:role/{role_name}"
        keys = identity.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }

    def restart(self) -> None:
        """Stop, which saves the state, and start again."""
        client.stop(self.home)
        self.address = client.start(self.home, self.port, self.time_scale)


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """Server of this worker. All tests share it: use unique names."""
    home = tmp_path_factory.mktemp("embedded-aws")
    try:
        yield EmbeddedAws(home)
    finally:
        client.destroy(home)


@pytest.fixture(scope="session")
def fast_embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """Server of this worker with service clocks 60 times as fast: two seconds stand for two minutes."""
    home = tmp_path_factory.mktemp("fast-aws")
    try:
        yield EmbeddedAws(home, 60)
    finally:
        client.destroy(home)


@pytest.fixture(scope="module")
def fresh_embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """Server of one test module, for tests that need an empty account."""
    home = tmp_path_factory.mktemp("fresh-aws")
    try:
        yield EmbeddedAws(home)
    finally:
        client.destroy(home)


@pytest.fixture
def new_embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., EmbeddedAws]]:
    """Function that starts a server for one test, for tests that kill it or need other settings."""
    homes: list[Path] = []

    def start(time_scale: float = 1.0) -> EmbeddedAws:
        homes.append(tmp_path_factory.mktemp("own-aws"))
        return EmbeddedAws(homes[-1], time_scale)

    try:
        yield start
    finally:
        for home in homes:
            client.destroy(home)


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Function that waits until a condition returns a true value, and returns it."""

    def wait(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"condition not met within {seconds} s"
            time.sleep(0.05)
        return found

    return wait


@pytest.fixture(scope="session", autouse=True)
def _service_models_are_shared() -> Iterator[None]:
    """Share botocore's service models between sessions: parsing them takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", JSONFileLoader.load_file)
        patch.setattr(Loader, "list_available_services", Loader.list_available_services)
        service_models.share()
        yield


@pytest.fixture(autouse=True)
def _no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests from reaching a real account through the user's variables or files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
