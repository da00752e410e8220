"""Replaces one fleet by another, blue/green or rolling, and rolls back on an alarm or a timeout."""

from __future__ import annotations

import math
import time
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting import variants
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.fleet import Fleet
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.traffic import Traffic

BATCH_PERCENT = (5, 50)  # of a variant's instances


class Guard:
    """Fails a deployment when an alarm goes off or its time limit passes. Its clock starts at construction."""

    def __init__(self, runtime: Runtime, key: EndpointKey, config: dict[str, Any]):
        """config: the DeploymentConfig."""
        self._key = key
        self._alarms = [a["AlarmName"] for a in config.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
        policy = config.get("RollingUpdatePolicy") or config.get("BlueGreenUpdatePolicy") or {}
        self._limit = policy.get("MaximumExecutionTimeoutInSeconds", math.inf)
        self._scale, self._stopping = runtime.time_scale, runtime.stopping
        self._started = time.monotonic()

    @property
    def has_alarms(self) -> bool:
        return bool(self._alarms)

    def bake(self, seconds: float) -> None:
        """Watch the alarms for `seconds` of service time, at least once. Raises DeploymentFailed."""
        deadline = time.monotonic() + seconds / self._scale
        while True:
            known = cloudwatch_backends[self._key.account][self._key.region].alarms
            for name in self._alarms:
                if name in known and known[name].state_value == "ALARM":
                    raise DeploymentFailed(f"The deployment was rolled back: alarm {name} is in state ALARM.")
            if (time.monotonic() - self._started) * self._scale > self._limit:
                raise DeploymentFailed(
                    f"The deployment was rolled back: it took longer than its MaximumExecutionTimeoutInSeconds, "
                    f"{self._limit}."
                )
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if self._stopping.wait(min(left, 0.2)):
                raise DeploymentFailed("The embedded AWS stopped.")


def replace(live: Traffic, fleet: Fleet, config: dict[str, Any], guard: Guard) -> None:
    """Start `fleet` and shift the traffic to it as `config` says. Raises DeploymentFailed.

    config: the DeploymentConfig.
    """
    policy = config.get("RollingUpdatePolicy")
    if live.current is None:
        fleet.launch()
    elif policy and rolls(live.current.deployment) and rolls(fleet.deployment):
        _roll(live, live.current, fleet, policy, guard)
    else:  # AWS replaces several variants, and serverless ones, all at once
        fleet.launch()
        _shift(live, fleet, {} if policy else config.get("BlueGreenUpdatePolicy", {}), guard)


def restore(live: Traffic, fleet: Fleet, config: dict[str, Any]) -> None:
    """Return the traffic to the current fleet and end `fleet`. Raises DeploymentFailed."""
    old = live.current
    policy = config.get("RollingUpdatePolicy")
    if old and policy and rolls(old.deployment):
        _roll_back(live, old, fleet, policy.get("RollbackMaximumBatchSize"))
    live.next, live.shifted = None, 0.0
    fleet.end()


def rolls(deployment: dict[str, Any]) -> bool:
    """Return whether a rolling update is possible: with one variant, on instances."""
    every = variants.of(deployment)
    return len(every) == 1 and "ServerlessConfig" not in every[0]


def batch(size: dict[str, Any] | None, total: int) -> int:
    """Return the number of instances that a CapacitySize means; None means all."""
    if size is None:
        return max(1, total)
    if size["Type"] == "INSTANCE_COUNT":
        return int(size["Value"])
    return max(1, total * int(size["Value"]) // 100)


def check(config: dict[str, Any], deployment: dict[str, Any]) -> None:
    """Raise ValidationException for a DeploymentConfig that does not fit the deployment."""
    policy = config.get("RollingUpdatePolicy")
    if policy is None:
        return
    if "BlueGreenUpdatePolicy" in config:
        raise ValidationError(
            message="Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified."
        )
    size, (low, high) = policy["MaximumBatchSize"], BATCH_PERCENT
    total = sum(variant["DesiredInstanceCount"] for variant in variants.of(deployment))
    percent = size["Value"]
    if size["Type"] == "INSTANCE_COUNT":
        percent = 100 * size["Value"] / total if total else low
    if rolls(deployment) and not low <= percent <= high:
        raise ValidationError(
            message=f"MaximumBatchSize must be between {low}% and {high}% of the variant's total instance count, "
            f"{total}; it is {size['Value']} ({size['Type']})."
        )


def _shift(live: Traffic, fleet: Fleet, policy: dict[str, Any], guard: Guard) -> None:
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
    live.next = fleet
    for share in shares(routing, fleet):
        live.shifted = share
        wait = routing.get("WaitIntervalInSeconds", 0)
        if share == 1.0:
            bakes = routing["Type"] != "ALL_AT_ONCE" or guard.has_alarms
            wait = max(wait if bakes else 0, policy.get("TerminationWaitInSeconds", 0))
        guard.bake(wait)


def shares(routing: dict[str, Any], fleet: Fleet) -> list[float]:
    """Return the new fleet's share of the traffic at each step."""
    size = routing.get("CanarySize") or routing.get("LinearStepSize")
    if routing["Type"] == "ALL_AT_ONCE" or not size:
        return [1.0]
    if size["Type"] == "CAPACITY_PERCENT":
        step = size["Value"] / 100
    else:  # a serverless fleet has no count: all at once
        step = size["Value"] / (sum(fleet.count(v["VariantName"]) for v in fleet.deployment["Variants"]) or 1)
    if routing["Type"] == "CANARY":
        return [min(step, 1.0), 1.0]
    steps = [step * n for n in range(1, int(1 / step) + 1) if step * n < 1.0 - 1e-9]
    return [*steps, 1.0]


def _roll(live: Traffic, old: Fleet, new: Fleet, policy: dict[str, Any], guard: Guard) -> None:
    """Batch by batch: add new instances, shift their share of the traffic, bake, remove old instances."""
    [variant] = new.deployment["Variants"]
    [replaced] = old.deployment["Variants"]
    total, before = variant["DesiredInstanceCount"], old.count(replaced["VariantName"])
    new.prepare()
    live.next, live.shifted = new, 0.0
    size = batch(policy["MaximumBatchSize"], total)
    for up in [*range(size, total, size), total]:
        new.scale(variant["VariantName"], up)
        live.shifted = up / total if total else 1.0
        guard.bake(policy["WaitIntervalInSeconds"])
        if up < total:
            old.scale(replaced["VariantName"], _remaining(before, live.shifted))


def _roll_back(live: Traffic, old: Fleet, new: Fleet, size: dict[str, Any] | None) -> None:
    """Batch by batch, without baking: add old instances, shift traffic back, remove new instances."""
    [variant] = old.deployment["Variants"]
    [replaced] = new.deployment["Variants"]
    total, before = variant["DesiredInstanceCount"], new.count(replaced["VariantName"])
    step = batch(size, total)
    for up in [*range(old.count(variant["VariantName"]) + step, total, step), total]:
        old.scale(variant["VariantName"], up)
        live.shifted = min(live.shifted, 1 - up / total if total else 0.0)
        if up < total:
            new.scale(replaced["VariantName"], min(before, _remaining(before, 1 - live.shifted)))


def _remaining(before: int, shifted: float) -> int:
    """Return the instances that a fleet needs for its remaining share of the traffic."""
    return math.ceil(before * (1 - shifted) - 1e-9)
