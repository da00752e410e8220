"""Execution environments of all functions: reuse, concurrency limits, provisioned concurrency."""

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

ACCOUNT_CONCURRENCY = 100  # of a new account; every environment is a process here
MINIMUM_UNRESERVED = 10
IDLE_SECONDS = 300.0
MAX_IDLE = 8
MAX_AGE_SECONDS = 7200.0  # well before the role's credentials expire
RETRY_FAILED_INIT_SECONDS = 30.0
PROVISIONED_INIT_SECONDS = 130.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """reserved: of the function, None if it has none. reserved_elsewhere: sum over the other functions."""

    reserved: int | None
    reserved_elsewhere: int


@dataclass
class _Group:
    """Environments of one version. wanted: how many are to be provisioned; `launch` starts one more."""

    function: str
    launch: Callable[[], ExecutionEnvironment]
    idle: list[ExecutionEnvironment] = field(default_factory=list)
    provisioned_idle: list[ExecutionEnvironment] = field(default_factory=list)
    provisioned_busy: set[ExecutionEnvironment] = field(default_factory=set)
    wanted: int = 0
    starting: int = 0
    failure: str = ""
    retry_at: float = 0.0

    @property
    def provisioned(self) -> int:
        return len(self.provisioned_idle) + len(self.provisioned_busy)

    def fresh(self, now: float) -> int:
        """Provisioned environments that need no replacement yet."""
        every = [*self.provisioned_idle, *self.provisioned_busy]
        return sum(not e.dead and now - e.created < MAX_AGE_SECONDS for e in every)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A version that exists: its function's ARN, how to start an environment, how many to provision."""

    function: str
    launch: Callable[[], ExecutionEnvironment]
    provisioned: int


class Pool:
    """Thread-safe. `versions` tells every version that exists by key; call `changed` when that may differ."""

    def __init__(self, versions: Callable[[], dict[str, Wanted]]) -> None:
        self._versions = versions
        self._groups: dict[str, _Group] = {}
        self._on_demand: Counter[str] = Counter()
        self._doomed: list[ExecutionEnvironment] = []
        self._changed = False
        self._closed = False
        self._condition = threading.Condition()
        self._slots = threading.Semaphore(4)  # environments starting at once
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Start to look after the environments."""
        self._keeper = threading.Thread(target=self._keep, name="lambda-pool", daemon=True)
        self._keeper.start()
        self.changed()

    def changed(self) -> None:
        """Functions, versions or provisioned concurrency have changed, or a process has ended."""
        with self._condition:
            self._changed = True
            self._condition.notify()

    def close(self) -> None:
        """Start nothing more. The processes are left to the supervisor."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def acquire(self, key: str, wanted: Wanted, limits: Limits) -> ExecutionEnvironment:
        """An environment for one invocation, started if none is warm; give it back with `release`.

        Raises TooManyRequestsException at the function's or the account's concurrency limit.
        """
        with self._condition:
            group = self._group(key, wanted)
            while group.provisioned_idle:
                environment = group.provisioned_idle.pop()
                if not environment.dead:
                    group.provisioned_busy.add(environment)
                    return environment
                self._doomed.append(environment)
            self._admit(wanted.function, limits)
            self._on_demand[wanted.function] += 1
            while group.idle:
                environment = group.idle.pop()
                if not environment.dead and time.monotonic() - environment.created < MAX_AGE_SECONDS:
                    return environment
                self._doom(environment)
        try:
            environment = group.launch()
            environment.start()
        except BaseException:
            with self._condition:
                self._on_demand[wanted.function] -= 1
            raise
        return environment

    def release(self, key: str, environment: ExecutionEnvironment) -> None:
        """Give an environment back: kept warm, or ended if it is dead, surplus or outdated."""
        with self._condition:
            group = self._groups.get(key)
            if group is not None and environment in group.provisioned_busy:
                group.provisioned_busy.discard(environment)
                keep = not environment.dead and group.provisioned < group.wanted
                group.provisioned_idle.append(environment) if keep else self._doom(environment)
                return
            function = environment.function
            self._on_demand[function] -= 1
            if environment.dead or group is None:
                self._doom(environment)
                return
            group.idle.append(environment)
            idle = [(e.used, id(e), g, e) for g in self._groups.values() for e in g.idle]
            if len(idle) > MAX_IDLE:
                _, _, owner, oldest = min(idle, key=lambda item: item[:2])
                owner.idle.remove(oldest)
                self._doom(oldest)
            self._condition.notify()

    def in_use(self, function: str) -> int:
        """Concurrent executions of a function, by ARN."""
        with self._condition:
            busy = sum(len(g.provisioned_busy) for g in self._groups.values() if g.function == function)
            return busy + self._on_demand[function]

    def provisioned(self, key: str) -> tuple[int, int, str]:
        """Of a version: environments that are initialised, those of them not in use, why starting one failed."""
        with self._condition:
            group = self._groups.get(key)
            if group is None:
                return 0, 0, ""
            return min(group.provisioned, group.wanted), len(group.provisioned_idle), group.failure

    def _group(self, key: str, wanted: Wanted) -> _Group:
        group = self._groups.setdefault(key, _Group(wanted.function, wanted.launch))
        group.launch = wanted.launch
        return group

    def _admit(self, function: str, limits: Limits) -> None:
        """Provisioned concurrency counts toward the reserved concurrency, whether in use or not."""
        provisioned = Counter()  # type: Counter[str]
        for group in self._groups.values():
            provisioned[group.function] += group.wanted
        if limits.reserved is not None:
            if self._on_demand[function] + provisioned[function] >= limits.reserved:
                raise TooManyRequestsException("ReservedFunctionConcurrentInvocationLimitExceeded")
            return
        taken = sum(self._on_demand.values()) + sum(provisioned.values())
        if max(taken, limits.reserved_elsewhere) >= ACCOUNT_CONCURRENCY:
            raise TooManyRequestsException("ConcurrentInvocationLimitExceeded")

    def _doom(self, environment: ExecutionEnvironment) -> None:
        self._doomed.append(environment)
        self._condition.notify()

    def _keep(self) -> None:
        while not self._closed:
            try:
                self._tend()
            except Exception:
                log.exception("looking after the execution environments; again in a second")
                time.sleep(1)
                self.changed()

    def _tend(self) -> None:
        """Wait until there is something to do, and do it."""
        with self._condition:
            if not (self._doomed or self._changed or self._closed):
                self._condition.wait(self._seconds_to_next())
            if self._closed:
                return
            changed, self._changed = self._changed, False
        while self._doomed:
            self._doomed.pop().end()
        versions = self._versions() if changed else None
        with self._condition:
            if versions is not None:
                self._adopt(versions)
            self._expire()
            self._provision()

    def _seconds_to_next(self) -> float | None:
        now = time.monotonic()
        times = [e.used + IDLE_SECONDS for g in self._groups.values() for e in g.idle]
        times += [e.created + MAX_AGE_SECONDS for g in self._groups.values() for e in g.provisioned_idle]
        times += [g.retry_at for g in self._groups.values() if g.failure and g.wanted]
        return max(min(times) - now, 0.05) if times else None

    def _adopt(self, versions: dict[str, Wanted]) -> None:
        for key, wanted in versions.items():
            if wanted.provisioned or key in self._groups:
                group = self._group(key, wanted)
                if group.wanted != wanted.provisioned:
                    group.wanted, group.failure, group.retry_at = wanted.provisioned, "", 0.0
        for key in [k for k in self._groups if k not in versions]:
            group = self._groups.pop(key)
            group.wanted = 0
            self._doomed += group.idle + group.provisioned_idle
            for environment in group.provisioned_busy:  # released as if they were on demand
                self._on_demand[environment.function] += 1

    def _expire(self) -> None:
        now = time.monotonic()
        for group in self._groups.values():
            for environment in [e for e in group.idle if e.dead or now - e.used > IDLE_SECONDS]:
                group.idle.remove(environment)
                self._doomed.append(environment)
            for environment in [e for e in group.provisioned_idle if e.dead]:
                group.provisioned_idle.remove(environment)
                self._doomed.append(environment)
            group.provisioned_idle.sort(key=lambda e: e.created, reverse=True)
            while group.provisioned_idle and group.provisioned > group.wanted:
                self._doomed.append(group.provisioned_idle.pop())

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
                    self._doomed.append(environment)
                self._changed = True
                self._condition.notify_all()
