"""Serverless variants: one container per concurrent request, started on demand and ended when idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_ import memory
from embedded_aws.services.sagemaker.hosting.exceptions import (
    ColdStartFailed,
    ModelNotReadyException,
    ThrottlingException,
)
from embedded_aws.services.sagemaker.hosting.fleet import Acquired, Fleet, end_all
from embedded_aws.services.sagemaker.hosting.instances import MODEL_TIMEOUT, Instance

BODY_LIMIT = 4 * 2**20  # bytes of a request
IDLE_SECONDS = 600.0  # of service time after which a container without requests ends
RETRY_SECONDS = 30.0  # before a provisioned container that failed is started again
MEMORY_POLL_SECONDS = 0.1  # between memory checks while a container starts or handles a request


class ServerlessFleet(Fleet):
    """A deployment of one serverless variant. Every instance handles one request at a time."""

    def __init__(
        self,
        runtime: Runtime,
        deployment: dict[str, Any],
        region: str,
        write_log: Callable[[str, list[str]], None],
    ):
        super().__init__(runtime, deployment, region, write_log)
        [self._variant] = deployment["Variants"]
        self._changed = threading.Condition(self._lock)
        self._ended = False
        self._idle_since: dict[Instance, float] = {}
        self._setup: dict[Instance, float] = {}  # seconds that a request waited for its cold start
        self._retry_at = 0.0  # earliest time to start failed provisioned containers again

    @property
    def memory_limit(self) -> int | None:
        memory_size: int = self._variant["ServerlessConfig"]["MemorySizeInMB"]
        return memory_size << 20

    def launch(self) -> None:
        """Start the provisioned containers. Without any, start one and end it again, as AWS does."""
        self.prepare()
        threading.Thread(target=self._maintain, name=f"serverless-{self._name}", daemon=True).start()
        provisioned = self._provisioned()
        self.provision(provisioned or 1)
        if not provisioned:
            with self._lock:
                tested, self._instances[self._name] = self._pool, []
            end_all(tested)

    def provision(self, count: int) -> None:
        """Keep at least `count` containers running. Raises DeploymentFailed."""
        with self._lock:
            missing = count - len(self._pool)
            added = self._add(self._variant, max(0, missing))
        self._await(self._variant, added)

    def count(self, name: str) -> int:
        """Return 0: AWS reports no instances of serverless variants."""
        return 0

    def acquire(self, target: str | None) -> Acquired | None:
        """Return the variant and a free container. If there is none, start one and wait for it.

        Raises KeyError for an unknown variant, ThrottlingException at MaxConcurrency, ColdStartFailed if the container
        fails its health check, and ModelNotReadyException if it takes longer than a model may.
        """
        if target not in (None, self._name):
            raise KeyError(target)
        with self._changed:
            if self._ended:
                return None
            self._check_concurrency()
            free = [i for i in self._pool if not i.in_flight]
            warm = [i for i in free if i.healthy]
            starting = [i for i in free if i.starting]
            instance = next(iter(warm or starting), None) or self._add(self._variant, 1)[0]
            instance.in_flight += 1
            self._changed.notify()
        if not warm:
            self._await_start(instance)
        return self._variant, instance

    def release(self, instance: Instance) -> None:
        with self._changed:
            instance.in_flight -= 1
            self._idle_since[instance] = time.monotonic()
            self._setup.pop(instance, None)
            self._changed.notify()

    def request_metrics(self, name: str, instance: Instance) -> dict[str, float]:
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
        name: str = self._variant["VariantName"]
        return name

    @property
    def _pool(self) -> list[Instance]:
        return self._instances[self._name]

    def _provisioned(self) -> int:
        count: int = self._variant["ServerlessConfig"].get("ProvisionedConcurrency", 0)
        return count

    def _check_concurrency(self) -> None:
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
        self.release(instance)
        if starting:
            raise ModelNotReadyException(
                f"Variant {self._name} is still starting after {MODEL_TIMEOUT:g} s. Ask again later."
            )
        raise ColdStartFailed(self._variant, instance.id)

    def _maintain(self) -> None:
        """Until the fleet ends: remove failed and idle containers, start provisioned ones, enforce the memory limit."""
        stopping = self._runtime.stopping
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
                running = list(self._pool)
            threading.Thread(target=end_all, args=(surplus,), daemon=True).start()
            for instance in running:
                self._limit_memory(instance)

    def _pause(self) -> float | None:
        """Return the seconds until the next check; None to wait for a request."""
        if any(i.in_flight or i.starting for i in self._pool):
            return MEMORY_POLL_SECONDS
        if len(self._pool) < self._provisioned():
            return max(0.0, self._retry_at - time.monotonic()) + 0.01
        if len(self._pool) == self._provisioned():
            return None
        first = min(self._idle_since.setdefault(i, time.monotonic()) for i in self._pool)
        return max(0.0, first + self._idle_timeout() - time.monotonic()) + 0.01

    def _surplus(self) -> list[Instance]:
        """Return failed containers, and the longest idle ones beyond the provisioned number."""
        free = [i for i in self._pool if not i.in_flight and not i.starting]
        failed = [i for i in free if not i.healthy]
        now = time.monotonic()
        idle = [
            i for i in free if i.healthy and now - self._idle_since.setdefault(i, now) >= self._idle_timeout()
        ]
        idle.sort(key=lambda i: self._idle_since[i])
        beyond = max(0, len(self._pool) - len(failed) - self._provisioned())
        return failed + idle[:beyond]

    def _idle_timeout(self) -> float:
        return IDLE_SECONDS / self._runtime.time_scale

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
