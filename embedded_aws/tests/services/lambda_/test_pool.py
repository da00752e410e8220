"""The pool of execution environments, without a server."""

from __future__ import annotations

import threading
import time

import pytest

from embedded_aws.services.lambda_ import pool
from embedded_aws.services.lambda_.exceptions import TooManyRequestsException
from embedded_aws.services.lambda_.pool import Limits, Pool, PooledVersion


class FakeEnvironment:
    """The part of an environment that the pool uses."""

    def __init__(self, fails=False):
        self.function, self.dead, self.ended, self.provisioned = "f", False, threading.Event(), False
        self.created = self.used = time.monotonic()
        self.init_error = {"errorMessage": "no"} if fails else None
        self.version = type("V", (), {"timeout": 3})

    def start(self, initialization_type="on-demand", limit=0.0):
        self.provisioned = initialization_type == "provisioned-concurrency"

    def end(self):
        self.dead = True
        self.ended.set()


FREE = Limits(reserved=None, reserved_by_all=0)


@pytest.fixture
def versions():
    return {}


@pytest.fixture
def environments(versions):
    started = Pool(lambda: dict(versions))
    started.start()
    yield started
    started.close()


def pooled_version(provisioned=0, launch=FakeEnvironment):
    return PooledVersion(function="f", launch=launch, provisioned=provisioned)


def test_warm_environment_is_reused_for_one_request_at_a_time(environments, versions):
    versions["f:1"] = pooled_version()
    first = environments.acquire("f:1", versions["f:1"], FREE)
    second = environments.acquire("f:1", versions["f:1"], FREE)
    assert first is not second
    environments.release("f:1", first)
    assert environments.acquire("f:1", versions["f:1"], FREE) is first
    assert environments.in_use("f") == 2


def test_acquire_throttles_at_the_reserved_concurrency(environments, versions):
    versions["f:1"] = pooled_version()
    limits = Limits(reserved=1, reserved_by_all=0)
    only = environments.acquire("f:1", versions["f:1"], limits)
    with pytest.raises(TooManyRequestsException) as refused:
        environments.acquire("f:1", versions["f:1"], limits)
    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    environments.release("f:1", only)
    assert environments.acquire("f:1", versions["f:1"], limits) is only


def test_acquire_throttles_at_the_account_limit(environments, versions, monkeypatch):
    monkeypatch.setattr(pool, "ACCOUNT_CONCURRENCY", 2)
    versions["f:1"] = pooled_version()
    for _ in range(2):
        environments.acquire("f:1", versions["f:1"], FREE)
    with pytest.raises(TooManyRequestsException) as refused:
        environments.acquire("f:1", versions["f:1"], FREE)
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"


def test_environments_of_deleted_versions_are_ended(environments, versions):
    versions["f:1"] = pooled_version()
    warm = environments.acquire("f:1", versions["f:1"], FREE)
    environments.release("f:1", warm)
    versions.clear()
    environments.changed()
    assert warm.ended.wait(30)


def test_number_of_idle_environments_is_limited(environments, versions, monkeypatch):
    monkeypatch.setattr(pool, "MAX_IDLE", 2)
    versions["f:1"] = pooled_version()
    busy = [environments.acquire("f:1", versions["f:1"], FREE) for _ in range(3)]
    for age, one in enumerate(reversed(busy)):
        one.used = time.monotonic() - age
        environments.release("f:1", one)
    assert busy[0].ended.wait(30)
    assert not busy[1].dead and not busy[2].dead


def test_environment_is_ended_after_the_idle_time(environments, versions, monkeypatch):
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.2)
    versions["f:1"] = pooled_version()
    warm = environments.acquire("f:1", versions["f:1"], FREE)
    warm.used = time.monotonic()
    environments.release("f:1", warm)
    assert warm.ended.wait(30)


def test_dead_provisioned_environment_is_replaced(environments, versions, until):
    versions["f:1"] = pooled_version(2)
    environments.changed()
    until(lambda: environments.provisioned("f:1") == (2, 2, ""))
    taken = environments.acquire("f:1", versions["f:1"], Limits(reserved=2, reserved_by_all=0))
    assert taken.provisioned
    assert environments.provisioned("f:1") == (2, 1, "")
    taken.dead = True
    environments.release("f:1", taken)
    assert taken.ended.wait(30)
    environments.changed()  # the end of a process calls it
    until(lambda: environments.provisioned("f:1") == (2, 2, ""))
    versions["f:1"] = pooled_version(0)
    environments.changed()
    until(lambda: environments.provisioned("f:1")[0] == 0)


def test_failed_provisioning_has_a_reason(environments, versions, until):
    versions["f:1"] = pooled_version(1, lambda: FakeEnvironment(fails=True))
    environments.changed()
    until(lambda: environments.provisioned("f:1")[2])
    assert environments.provisioned("f:1") == (0, 0, "FUNCTION_ERROR_INIT_FAILURE: no")
