"""The pool of execution environments: reuse, concurrency limits, provisioned concurrency."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from embedded_aws.services.lambda_.environment import ExecutionEnvironment
from embedded_aws.services.lambda_.exceptions import TooManyRequestsException

log = logging.getLogger(__name__)

ACCOUNT_CONCURRENCY = 100  # a low quota, since every environment is a process of this machine
MINIMUM_UNRESERVED = 10
IDLE_SECONDS = 300.0
MAX_IDLE = 8
MAX_AGE_SECONDS = 7200.0  # well below the lifetime of the role's credentials
RETRY_FAILED_INIT_SECONDS = 30.0
PROVISIONED_INIT_SECONDS = 130.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The concurrency limits that apply to one invocation."""

    reserved: int | None
    """Reserved concurrency of the function; None if it has none."""

    reserved_by_all: int
    """Sum of the reserved concurrency of all functions."""


@dataclass
class _Group:
    """The environments of one version."""

    function: str
    """ARN of the function, without a version."""

    launch: Callable[[], ExecutionEnvironment]
    """Creates one more environment."""

    idle: list[ExecutionEnvironment] = field(default_factory=list)
    provisioned_idle: list[ExecutionEnvironment] = field(default_factory=list)
    provisioned_busy: set[ExecutionEnvironment] = field(default_factory=set)
    wanted: int = 0
    """How many provisioned environments the version needs."""

    starting: int = 0
    """How many provisioned environments are being started."""

    failure: str = ""
    """Why the last start of a provisioned environment failed."""

    retry_at: float = 0.0
    """When to start another one after a failure, by the monotonic clock."""

    @property
    def provisioned(self) -> int:
        return len(self.provisioned_idle) + len(self.provisioned_busy)

    def fresh(self, now: float) -> int:
        """Return the number of provisioned environments that need no replacement yet."""
        environments = [*self.provisioned_idle, *self.provisioned_busy]
        return sum(not e.dead and now - e.created < MAX_AGE_SECONDS for e in environments)


@dataclass(frozen=True, kw_only=True)
class PooledVersion:
    """A version that exists, as the pool sees it."""

    function: str
    """ARN of the function, without a version."""

    launch: Callable[[], ExecutionEnvironment]
    """Creates an environment of the version."""

    provisioned: int
    """How many environments to keep warm."""


class Pool:
    """Hands out environments, and keeps provisioned ones warm. Thread-safe."""

    def __init__(self, versions: Callable[[], dict[str, PooledVersion]]) -> None:
        """versions: returns every version that exists, by key. Call `changed` when its result may differ."""
        self._versions = versions
        self._groups: dict[str, _Group] = {}
        self._on_demand: Counter[str] = Counter()
        self._discarded: list[ExecutionEnvironment] = []
        self._changed = False
        self._closed = False
        self._condition = threading.Condition()
        self._slots = threading.Semaphore(4)  # environments starting at once

    def start(self) -> None:
        """Start the thread that maintains the environments."""
        threading.Thread(target=self._maintain, name="lambda-pool", daemon=True).start()
        self.changed()

    def changed(self) -> None:
        """Maintain the environments soon: functions, versions or provisioned concurrency changed, or a process ended."""
        with self._condition:
            self._changed = True
            self._condition.notify()

    def close(self) -> None:
        """Start no more environments. The supervisor ends the processes."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def acquire(self, key: str, version: PooledVersion, limits: Limits) -> ExecutionEnvironment:
        """Return an environment for one invocation, a new one if none is warm. Call `release` afterwards.

        Raises TooManyRequestsException at the function's or the account's concurrency limit.
        """
        with self._condition:
            group = self._group(key, version)
            while group.provisioned_idle:
                environment = group.provisioned_idle.pop()
                if not environment.dead:
                    group.provisioned_busy.add(environment)
                    return environment
                self._discarded.append(environment)
            self._admit(version.function, limits)
            self._on_demand[version.function] += 1
            while group.idle:
                environment = group.idle.pop()
                if not environment.dead and time.monotonic() - environment.created < MAX_AGE_SECONDS:
                    return environment
                self._discard(environment)
        try:
            environment = group.launch()
            environment.start()
        except BaseException:
            with self._condition:
                self._on_demand[version.function] -= 1
            raise
        return environment

    def release(self, key: str, environment: ExecutionEnvironment) -> None:
        """Keep an environment warm after an invocation, or end it if it is dead, surplus or outdated."""
        with self._condition:
            group = self._groups.get(key)
            if group is not None and environment in group.provisioned_busy:
                group.provisioned_busy.discard(environment)
                keep = not environment.dead and group.provisioned < group.wanted
                group.provisioned_idle.append(environment) if keep else self._discard(environment)
                return
            function = environment.function
            self._on_demand[function] -= 1
            if environment.dead or group is None:
                self._discard(environment)
                return
            group.idle.append(environment)
            idle = [(e.used, id(e), g, e) for g in self._groups.values() for e in g.idle]
            if len(idle) > MAX_IDLE:
                _, _, owner, oldest = min(idle, key=lambda item: item[:2])
                owner.idle.remove(oldest)
                self._discard(oldest)
            self._condition.notify()

    def in_use(self, function: str) -> int:
        """Return the number of concurrent executions of a function. function: its ARN."""
        with self._condition:
            busy = sum(len(g.provisioned_busy) for g in self._groups.values() if g.function == function)
            return busy + self._on_demand[function]

    def provisioned(self, key: str) -> tuple[int, int, str]:
        """Return a version's number of initialized environments, of idle ones, and why the last start failed."""
        with self._condition:
            group = self._groups.get(key)
            if group is None:
                return 0, 0, ""
            return min(group.provisioned, group.wanted), len(group.provisioned_idle), group.failure

    def _group(self, key: str, version: PooledVersion) -> _Group:
        group = self._groups.setdefault(key, _Group(version.function, version.launch))
        group.launch = version.launch
        return group

    def _admit(self, function: str, limits: Limits) -> None:
        """Raise TooManyRequestsException at a concurrency limit.

        Provisioned concurrency counts toward the reserved concurrency even while it is idle.
        """
        provisioned: Counter[str] = Counter()
        for group in self._groups.values():
            provisioned[group.function] += group.wanted
        if limits.reserved is not None:
            if self._on_demand[function] + provisioned[function] >= limits.reserved:
                raise TooManyRequestsException("ReservedFunctionConcurrentInvocationLimitExceeded")
            return
        used = sum(self._on_demand.values()) + sum(provisioned.values())
        if max(used, limits.reserved_by_all) >= ACCOUNT_CONCURRENCY:
            raise TooManyRequestsException("ConcurrentInvocationLimitExceeded")

    def _discard(self, environment: ExecutionEnvironment) -> None:
        self._discarded.append(environment)
        self._condition.notify()

    def _maintain(self) -> None:
        while not self._closed:
            try:
                self._maintain_once()
            except Exception:
                log.exception("maintenance of the execution environments failed; retrying in a second")
                time.sleep(1)
                self.changed()

    def _maintain_once(self) -> None:
        """Wait until there is something to do, and do it."""
        with self._condition:
            if not (self._discarded or self._changed or self._closed):
                self._condition.wait(self._seconds_to_next())
            if self._closed:
                return
            changed, self._changed = self._changed, False
        while self._discarded:
            self._discarded.pop().end()
        versions = self._versions() if changed else None
        with self._condition:
            if versions is not None:
                self._apply(versions)
            self._expire()
            self._provision()

    def _seconds_to_next(self) -> float | None:
        now = time.monotonic()
        times = [e.used + IDLE_SECONDS for g in self._groups.values() for e in g.idle]
        times += [e.created + MAX_AGE_SECONDS for g in self._groups.values() for e in g.provisioned_idle]
        times += [g.retry_at for g in self._groups.values() if g.failure and g.wanted]
        return max(min(times) - now, 0.05) if times else None

    def _apply(self, versions: dict[str, PooledVersion]) -> None:
        for key, version in versions.items():
            if version.provisioned or key in self._groups:
                group = self._group(key, version)
                if group.wanted != version.provisioned:
                    group.wanted, group.failure, group.retry_at = version.provisioned, "", 0.0
        for key in [k for k in self._groups if k not in versions]:
            group = self._groups.pop(key)
            group.wanted = 0
            self._discarded += group.idle + group.provisioned_idle
            for environment in group.provisioned_busy:  # they are released like on-demand ones
                self._on_demand[environment.function] += 1

    def _expire(self) -> None:
        now = time.monotonic()
        for group in self._groups.values():
            for environment in [e for e in group.idle if e.dead or now - e.used > IDLE_SECONDS]:
                group.idle.remove(environment)
                self._discarded.append(environment)
            for environment in [e for e in group.provisioned_idle if e.dead]:
                group.provisioned_idle.remove(environment)
                self._discarded.append(environment)
            group.provisioned_idle.sort(key=lambda e: e.created, reverse=True)
            while group.provisioned_idle and group.provisioned > group.wanted:
                self._discarded.append(group.provisioned_idle.pop())

    def _provision(self) -> None:
        now = time.monotonic()
        for group in self._groups.values():
            if group.failure and now < group.retry_at:
                continue
            for _ in range(group.wanted - group.fresh(now) - group.starting):
                group.starting += 1
                threading.Thread(target=self._start_provisioned, args=(group,), daemon=True).start()

    def _start_provisioned(self, group: _Group) -> None:
        environment, failure = None, ""
        try:
            with self._slots:
                if self._closed:
                    return
                environment = group.launch()
                limit = max(PROVISIONED_INIT_SECONDS, environment.version.timeout)
                environment.start("provisioned-concurrency", limit)
                if environment.init_error is not None:
                    failure = f"FUNCTION_ERROR_INIT_FAILURE: {environment.init_error['errorMessage']}"
        except Exception as error:
            failure = str(error)
        finally:
            with self._condition:
                group.starting -= 1
                group.failure = failure
                if failure:
                    group.retry_at = time.monotonic() + RETRY_FAILED_INIT_SECONDS
                elif environment is not None and group.wanted:
                    group.provisioned_idle.append(environment)
                    environment = None
                if environment is not None:
                    self._discarded.append(environment)
                self._changed = True
                self._condition.notify_all()
