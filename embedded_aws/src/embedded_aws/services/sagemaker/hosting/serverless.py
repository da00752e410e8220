"""Serverless variants: a process per concurrent request, started by the request that finds none, ended when idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from embedded_aws import runtime
from embedded_aws.services.lambda_ import memory
from embedded_aws.services.sagemaker.hosting.errors import ModelNotReadyException, ThrottlingException
from embedded_aws.services.sagemaker.hosting.failures import StartFailed
from embedded_aws.services.sagemaker.hosting.fleet import Fleet, end_all
from embedded_aws.services.sagemaker.hosting.instances import MODEL_TIMEOUT, Instance

BODY_LIMIT = 4 * 2**20  # bytes of a request
IDLE_SECONDS = 600.0  # of the service, until a process that nobody asks is ended
RETRY_SECONDS = 30.0  # until a provisioned process that did not come up is started again
MEMORY_POLL_SECONDS = 0.1  # while a process starts or has a request


class ServerlessFleet(Fleet):
    """A deployment of one serverless variant. Its processes are the fleet's instances, one request each at a time."""

    def __init__(self, deployment: dict[str, Any], region: str, write_log: Callable[[str, list[str]], None]):
        super().__init__(deployment, region, write_log)
        [self._variant] = deployment["Variants"]
        self._changed = threading.Condition(self._lock)
        self._ended = False
        self._idle_since: dict[Instance, float] = {}
        self._setup: dict[Instance, float] = {}  # seconds of the cold start that its request waited for
        self._retry_at = 0.0  # not before: start what is provisioned and did not come up

    @property
    def memory_limit(self) -> int | None:
        return self._variant["ServerlessConfig"]["MemorySizeInMB"] << 20

    def launch(self) -> None:
        """Start what is provisioned; with nothing provisioned, try the container once, as AWS does, and end it."""
        self.prepare()
        threading.Thread(target=self._keep, name=f"serverless-{self._name}", daemon=True).start()
        wanted = self._provisioned()
        self.provision(wanted or 1)
        if not wanted:
            with self._lock:
                tried, self._instances[self._name] = self._pool, []
            end_all(tried)

    def provision(self, count: int) -> None:
        """Have at least `count` processes warm. Raises DeploymentFailed."""
        with self._lock:
            missing = count - len(self._pool)
            added = self._add(self._variant, max(0, missing))
        self._await(self._variant, added)

    def count(self, name: str) -> int:
        """A serverless variant has no instances to tell of."""
        return 0

    def pick(self, target: str | None) -> tuple[dict[str, Any], Instance] | None:
        """The variant and a process without a request, started if there is none: then this waits for it.

        Raises KeyError for an unknown target, ThrottlingException at MaxConcurrency, StartFailed if the container
        did not come up, ModelNotReadyException if it takes longer than a model may.
        """
        if target not in (None, self._name):
            raise KeyError(target)
        with self._changed:
            if self._ended:
                return None
            self._admit()
            free = [i for i in self._pool if not i.in_flight]
            warm = [i for i in free if i.healthy]
            coming = [i for i in free if i.starting]
            instance = next(iter(warm or coming), None) or self._add(self._variant, 1)[0]
            instance.in_flight += 1
            self._changed.notify()
        if not warm:
            self._await_start(instance)
        return self._variant, instance

    def done(self, instance: Instance) -> None:
        with self._changed:
            instance.in_flight -= 1
            self._idle_since[instance] = time.monotonic()
            self._setup.pop(instance, None)
            self._changed.notify()

    def measured(self, name: str, instance: Instance) -> dict[str, float]:
        with self._lock:
            running = sum(i.in_flight for i in self._pool)
            config = self._variant["ServerlessConfig"]
            values = {"ServerlessConcurrentExecutionsUtilization": running / config["MaxConcurrency"]}
            if instance in self._setup:
                values["ModelSetupTime"] = self._setup[instance] * 1e6
        if provisioned := config.get("ProvisionedConcurrency"):
            within = running <= provisioned
            values |= {
                "ServerlessProvisionedConcurrencyExecutions": float(min(running, provisioned)),
                "ServerlessProvisionedConcurrencyUtilization": min(running, provisioned) / provisioned,
                "ServerlessProvisionedConcurrencyInvocations": float(within),
                "ServerlessProvisionedConcurrencySpilloverInvocations": float(not within),
            }
        return values

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        super().end()

    @property
    def _name(self) -> str:
        return self._variant["VariantName"]

    @property
    def _pool(self) -> list[Instance]:
        return self._instances[self._name]

    def _provisioned(self) -> int:
        return self._variant["ServerlessConfig"].get("ProvisionedConcurrency", 0)

    def _admit(self) -> None:
        limit = self._variant["ServerlessConfig"]["MaxConcurrency"]
        if sum(i.in_flight for i in self._pool) >= limit:
            raise ThrottlingException(
                f"Variant {self._name} has as many requests as its MaxConcurrency, {limit}. Ask again later."
            )

    def _await_start(self, instance: Instance) -> None:
        started = time.perf_counter()
        came_up = instance.wait_ready(MODEL_TIMEOUT)
        with self._lock:
            self._setup[instance] = time.perf_counter() - started
        if came_up:
            return
        starting = instance.starting
        self.done(instance)
        if starting:
            raise ModelNotReadyException(
                f"Variant {self._name} is still starting after {MODEL_TIMEOUT:g} s. Ask again later."
            )
        raise StartFailed(self._variant, instance)

    def _keep(self) -> None:
        """Until the end: drop what failed or idles, start what is provisioned, kill what takes too much memory."""
        stopping = runtime.current().stopping
        while not stopping.is_set():
            with self._changed:
                if not self._ended:
                    self._changed.wait(self._pause())
                if self._ended:
                    return
                surplus = self._surplus()
                for instance in surplus:
                    self._forget(instance)
                if any(not i.came_up for i in surplus):
                    self._retry_at = time.monotonic() + RETRY_SECONDS
                if time.monotonic() >= self._retry_at:
                    self._add(self._variant, self._provisioned() - len(self._pool))
                rest = list(self._pool)
            threading.Thread(target=end_all, args=(surplus,), daemon=True).start()
            for instance in rest:
                self._limit_memory(instance)

    def _pause(self) -> float | None:
        """Seconds until there may be something to do; None if only a request can change that."""
        if any(i.in_flight or i.starting for i in self._pool):
            return MEMORY_POLL_SECONDS
        if len(self._pool) < self._provisioned():
            return max(0.0, self._retry_at - time.monotonic()) + 0.01
        if len(self._pool) == self._provisioned():
            return None
        first = min(self._idle_since.setdefault(i, time.monotonic()) for i in self._pool)
        return max(0.0, first + self._patience() - time.monotonic()) + 0.01

    def _surplus(self) -> list[Instance]:
        """What failed, and the longest idle beyond what is provisioned."""
        free = [i for i in self._pool if not i.in_flight and not i.starting]
        failed = [i for i in free if not i.healthy]
        now = time.monotonic()
        idle = [
            i for i in free if i.healthy and now - self._idle_since.setdefault(i, now) >= self._patience()
        ]
        idle.sort(key=lambda i: self._idle_since[i])
        beyond = max(0, len(self._pool) - len(failed) - self._provisioned())
        return failed + idle[:beyond]

    def _patience(self) -> float:
        return IDLE_SECONDS / runtime.current().time_scale

    def _forget(self, instance: Instance) -> None:
        self._pool.remove(instance)
        self._idle_since.pop(instance, None)

    def _limit_memory(self, instance: Instance) -> None:
        limit = self._variant["ServerlessConfig"]["MemorySizeInMB"] << 20
        used = memory.peak(instance.pid) if instance.pid else 0
        if used <= limit:
            return
        instance.kill()
        self._write_log(
            f"{self._name}/{instance.id}",
            [f"The container was killed: it used {used >> 20} MB, more than MemorySizeInMB, {limit >> 20}."],
        )
