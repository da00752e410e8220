"""Bringing endpoints to what their records ask for: blue/green deployment, scaling, deletion, recovery.

Every function here runs in a thread of its own, so that the operation that asked for it has answered already.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from local_aws import runtime
from local_aws.sagemaker.hosting import asynchronous, metrics
from local_aws.sagemaker.hosting.failures import DeploymentFailed
from local_aws.sagemaker.hosting.fleet import Fleet
from local_aws.sagemaker.hosting.live import Key, LogGroup, Traffic, forget, traffic
from local_aws.sagemaker.hosting.serverless import ServerlessFleet

log = logging.getLogger(__name__)


def start(work: Callable[..., None], *arguments: Any) -> None:
    """Run `work` in the background; at shutdown it is abandoned, and recovered from the record at the next start."""

    def run() -> None:
        try:
            work(*arguments)
        except Exception:
            if not runtime.current().stopping.is_set():
                log.exception("%s failed", work.__name__)
                raise

    threading.Thread(target=run, name=work.__name__, daemon=True).start()


def deploy(key: Key, endpoint: dict[str, Any]) -> None:
    """Create or update: start the pending deployment beside the one that serves, shift to it, end the other.

    If it does not come up, or an alarm goes off while traffic shifts, what served before serves on.
    """
    target = endpoint["Pending"]
    live = traffic(key)
    fleet = _fleet(key, target)
    try:
        fleet.launch()
        _shift(key, live, fleet, endpoint.get("LastDeploymentConfig", {}))
    except DeploymentFailed as failure:
        if runtime.current().stopping.is_set():
            return
        if endpoint["Deployed"]:
            endpoint["EndpointStatus"] = "RollingBack"
        live.next, live.shifted = None, 0.0
        fleet.end()
        endpoint["Pending"] = None
        _settle(endpoint, "InService" if endpoint["Deployed"] else "Failed", str(failure))
        return
    old, live.current, live.next, live.shifted = live.current, fleet, None, 0.0
    endpoint["Deployed"], endpoint["Pending"] = target, None
    endpoint["EndpointConfigName"] = target["EndpointConfigName"]
    if old:
        old.end()
    _settle(endpoint, "InService")
    asynchronous.work(key, endpoint)


def recover(key: Key, endpoint: dict[str, Any]) -> None:
    """After a restart: what was in service comes back, what was under way goes on."""
    if endpoint["Deployed"]:
        pending = endpoint["Pending"]
        fleet = _fleet(key, endpoint["Deployed"])
        try:
            fleet.launch()
        except DeploymentFailed as failure:
            if runtime.current().stopping.is_set():
                return
            fleet.end()
            endpoint["Pending"] = None
            _settle(endpoint, "Failed", str(failure))
            return
        traffic(key).current = fleet
        if not pending:
            _settle(endpoint, "InService", endpoint.get("FailureReason"))
        asynchronous.work(key, endpoint)
    if endpoint["Pending"]:
        deploy(key, endpoint)


def resize(
    key: Key,
    endpoint: dict[str, Any],
    wanted: dict[str, dict[str, Any]],
    finished: Callable[[str | None], None],
) -> None:
    """Bring variants to {"DesiredInstanceCount", "DesiredWeight", "ServerlessUpdateConfig"} by name; a count that
    fails is given up."""
    live = traffic(key)
    assert live.current
    reason = None
    for name, desired in wanted.items():
        variant = live.current.variant(name)
        try:
            if "DesiredInstanceCount" in desired:
                live.current.scale(name, desired["DesiredInstanceCount"])
            if "ServerlessUpdateConfig" in desired:
                live.current.provision(variant["DesiredServerlessConfig"].get("ProvisionedConcurrency", 0))
                variant["ServerlessConfig"] = variant["DesiredServerlessConfig"]
        except DeploymentFailed as failure:
            if runtime.current().stopping.is_set():
                return
            reason = str(failure)
            variant["DesiredInstanceCount"] = live.current.count(name)
        variant.pop("DesiredServerlessConfig", None)
        variant["CurrentWeight"] = variant["DesiredWeight"]
    finished(reason)
    _settle(endpoint, "InService", reason)
    asynchronous.work(key, endpoint)


def _fleet(key: Key, deployment: dict[str, Any]) -> Fleet:
    serverless = any("ServerlessConfig" in variant for variant in deployment["Variants"])
    return (ServerlessFleet if serverless else Fleet)(deployment, key[1], LogGroup(key).write)


def delete(key: Key, remove: Callable[[], None]) -> None:
    """End everything; `remove` drops the record once nothing runs."""
    live = traffic(key)
    for fleet in (live.current, live.next):
        if fleet:
            fleet.end()
    forget(key)
    metrics.forget(key)
    remove()
    runtime.current().changed()


def _settle(endpoint: dict[str, Any], status: str, reason: str | None = None) -> None:
    endpoint["LastModifiedTime"] = datetime.now(timezone.utc)
    if reason:
        endpoint["FailureReason"] = reason
    else:
        endpoint.pop("FailureReason", None)
    endpoint["EndpointStatus"] = status  # last: who waits for it reads the rest
    runtime.current().changed()


def _shift(key: Key, live: Traffic, fleet: Fleet, config: dict[str, Any]) -> None:
    """Move the traffic to `fleet` as the deployment configuration says. Raises DeploymentFailed on an alarm."""
    if live.current is None:
        return
    policy = config.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
    alarms = [a["AlarmName"] for a in config.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
    live.next = fleet
    for share in _shares(routing, fleet):
        live.shifted = share
        wait = routing.get("WaitIntervalInSeconds", 0)
        if share == 1.0:
            wait = max(wait if routing["Type"] != "ALL_AT_ONCE" or alarms else 0, _termination_wait(policy))
        _bake(key, wait / runtime.current().time_scale, alarms)


def _shares(routing: dict[str, Any], fleet: Fleet) -> list[float]:
    """The new fleet's share of the traffic, step by step."""
    size = routing.get("CanarySize") or routing.get("LinearStepSize")
    if routing["Type"] == "ALL_AT_ONCE" or not size:
        return [1.0]
    if size["Type"] == "CAPACITY_PERCENT":
        step = size["Value"] / 100
    else:  # a serverless fleet counts none: all at once
        step = size["Value"] / (sum(fleet.count(v["VariantName"]) for v in fleet.deployment["Variants"]) or 1)
    if routing["Type"] == "CANARY":
        return [min(step, 1.0), 1.0]
    shares = [step * n for n in range(1, int(1 / step) + 1) if step * n < 1.0 - 1e-9]
    return [*shares, 1.0]


def _termination_wait(policy: dict[str, Any]) -> float:
    return policy.get("TerminationWaitInSeconds", 0)


def _bake(key: Key, seconds: float, alarms: list[str]) -> None:
    """Let a step of the shift run for `seconds`, watching the alarms."""
    account, region, _ = key
    deadline = time.monotonic() + seconds
    while True:
        known = cloudwatch_backends[account][region].alarms
        for name in alarms:
            if name in known and known[name].state_value == "ALARM":
                raise DeploymentFailed(f"The deployment was rolled back: alarm {name} is in state ALARM.")
        left = deadline - time.monotonic()
        if left <= 0:
            return
        if runtime.current().stopping.wait(min(left, 0.2)):
            raise DeploymentFailed("The embedded AWS stopped.")
