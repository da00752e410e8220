"""Bringing endpoints to what their records ask for: deployment, scaling, deletion, recovery.

Every function here runs in a thread of its own, so that the operation that asked for it has answered already.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from embedded_aws import runtime
from embedded_aws.services.events import sagemaker as events
from embedded_aws.services.sagemaker.hosting import asynchronous, metrics, shifting
from embedded_aws.services.sagemaker.hosting.failures import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.fleet import Fleet
from embedded_aws.services.sagemaker.hosting.live import Key, LogGroup, Traffic, forget, traffic
from embedded_aws.services.sagemaker.hosting.serverless import ServerlessFleet

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
    target, config = endpoint["Pending"], endpoint.get("LastDeploymentConfig", {})
    live = traffic(key)
    stale, live.next, live.shifted = live.next, None, 0.0
    if stale:  # an earlier update that could not be rolled back left it
        stale.end()
    fleet = _fleet(key, target)
    try:
        shifting.replace(key, live, fleet, config)
    except DeploymentFailed as failure:
        if runtime.current().stopping.is_set():
            return
        _roll_back(endpoint, live, fleet, config, failure)
        return
    old, live.current, live.next, live.shifted = live.current, fleet, None, 0.0
    endpoint["Deployed"], endpoint["Pending"] = target, None
    endpoint["EndpointConfigName"] = target["EndpointConfigName"]
    if old:
        old.end()
    _settle(endpoint, "InService")
    asynchronous.work(key, endpoint)


def _roll_back(
    endpoint: dict[str, Any], live: Traffic, fleet: Fleet, config: dict[str, Any], failure: DeploymentFailed
) -> None:
    """What served before serves on; if some of it does not come up again, both serve until the next update."""
    status = "InService" if endpoint["Deployed"] else "Failed"
    if endpoint["Deployed"]:
        endpoint["EndpointStatus"] = "RollingBack"
        events.endpoint(endpoint)
    reason = str(failure)
    try:
        shifting.restore(live, fleet, config)
    except DeploymentFailed as second:
        if runtime.current().stopping.is_set():
            return
        status, reason = "UpdateRollbackFailed", f"{reason} The rollback failed too: {second}"
    endpoint["Pending"] = None
    _settle(endpoint, status, reason)


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
    events.endpoint(endpoint)
    runtime.current().changed()
