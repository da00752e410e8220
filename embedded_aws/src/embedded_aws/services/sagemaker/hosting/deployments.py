"""Brings endpoints to what their records request: deployment, scaling, deletion, recovery.

Everything here runs in background threads, after the API call has returned.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import events
from embedded_aws.services.sagemaker.hosting import shifting
from embedded_aws.services.sagemaker.hosting.asynchronous import AsyncInference
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.fleet import Fleet
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.logs import EndpointLog
from embedded_aws.services.sagemaker.hosting.metrics import EndpointMetrics
from embedded_aws.services.sagemaker.hosting.serverless import ServerlessFleet
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints, Traffic

log = logging.getLogger(__name__)

Endpoint = dict[str, Any]  # the record of an endpoint


class Deployments:
    """Changes to running endpoints. Every public method returns at once."""

    def __init__(
        self,
        runtime: Runtime,
        live: LiveEndpoints,
        metrics: EndpointMetrics,
        asynchronous: AsyncInference,
    ) -> None:
        self._runtime, self._live, self._metrics = runtime, live, metrics
        self._asynchronous = asynchronous

    def deploy(self, key: EndpointKey, endpoint: Endpoint) -> None:
        """Start the pending deployment, shift traffic to it, and end the deployed one.

        If it fails, or an alarm goes off while traffic shifts, the deployed one keeps serving.
        """
        self._start(self._deploy, key, endpoint)

    def recover(self, key: EndpointKey, endpoint: Endpoint) -> None:
        """After a restart, start the deployed fleet again and resume a pending deployment."""
        self._start(self._recover, key, endpoint)

    def resize(
        self,
        key: EndpointKey,
        endpoint: Endpoint,
        wanted: dict[str, dict[str, Any]],
        finished: Callable[[str | None], None],
    ) -> None:
        """Change variants. An instance count that cannot be reached is reset to the current one.

        wanted: DesiredInstanceCount, DesiredWeight and ServerlessUpdateConfig by variant name.
        finished: called at the end, with the reason of a failure.
        """
        self._start(self._resize, key, endpoint, wanted, finished)

    def delete(self, key: EndpointKey, remove: Callable[[], None]) -> None:
        """End every instance of an endpoint, then call `remove`."""
        self._start(self._delete, key, remove)

    def _start(self, work: Callable[..., None], key: EndpointKey, *arguments: Any) -> None:
        """Run work in the background. Shutdown abandons it; the next start recovers from the record."""
        name = work.__name__.lstrip("_")

        def run() -> None:
            try:
                work(key, *arguments)
            except Exception:
                if not self._stopping():
                    log.exception("%s of endpoint %s failed", name, key.name)
                    raise

        threading.Thread(target=run, name=name, daemon=True).start()

    def _stopping(self) -> bool:
        return self._runtime.stopping.is_set()

    def _deploy(self, key: EndpointKey, endpoint: Endpoint) -> None:
        pending, config = endpoint["Pending"], endpoint.get("LastDeploymentConfig", {})
        live = self._live.traffic(key)
        stale, live.next, live.shifted = live.next, None, 0.0
        if stale:  # left by an earlier update that could not be rolled back
            stale.end()
        fleet = self._fleet(key, pending)
        try:
            shifting.replace(live, fleet, config, shifting.Guard(self._runtime, key, config))
        except DeploymentFailed as failure:
            if not self._stopping():
                self._roll_back(endpoint, live, fleet, config, failure)
            return
        old, live.current, live.next, live.shifted = live.current, fleet, None, 0.0
        endpoint["Deployed"], endpoint["Pending"] = pending, None
        endpoint["EndpointConfigName"] = pending["EndpointConfigName"]
        if old:
            old.end()
        self._finish(endpoint, "InService")
        self._asynchronous.process(key, endpoint)

    def _roll_back(
        self,
        endpoint: Endpoint,
        live: Traffic,
        fleet: Fleet,
        config: dict[str, Any],
        failure: DeploymentFailed,
    ) -> None:
        """Return the traffic to the deployed fleet. If that fails too, both serve until the next update."""
        status = "InService" if endpoint["Deployed"] else "Failed"
        if endpoint["Deployed"]:
            endpoint["EndpointStatus"] = "RollingBack"
            events.endpoint(endpoint)
        reason = str(failure)
        try:
            shifting.restore(live, fleet, config)
        except DeploymentFailed as second:
            if self._stopping():
                return
            status, reason = "UpdateRollbackFailed", f"{reason} The rollback failed too: {second}"
        endpoint["Pending"] = None
        self._finish(endpoint, status, reason)

    def _recover(self, key: EndpointKey, endpoint: Endpoint) -> None:
        if endpoint["Deployed"]:
            pending = endpoint["Pending"]
            fleet = self._fleet(key, endpoint["Deployed"])
            try:
                fleet.launch()
            except DeploymentFailed as failure:
                if self._stopping():
                    return
                fleet.end()
                endpoint["Pending"] = None
                self._finish(endpoint, "Failed", str(failure))
                return
            self._live.traffic(key).current = fleet
            if not pending:
                self._finish(endpoint, "InService", endpoint.get("FailureReason"))
            self._asynchronous.process(key, endpoint)
        if endpoint["Pending"]:
            self._deploy(key, endpoint)

    def _resize(
        self,
        key: EndpointKey,
        endpoint: Endpoint,
        wanted: dict[str, dict[str, Any]],
        finished: Callable[[str | None], None],
    ) -> None:
        fleet = self._live.traffic(key).current
        assert fleet
        reason = None
        for name, desired in wanted.items():
            variant = fleet.variant(name)
            try:
                if "DesiredInstanceCount" in desired:
                    fleet.scale(name, desired["DesiredInstanceCount"])
                if "ServerlessUpdateConfig" in desired:
                    fleet.provision(variant["DesiredServerlessConfig"].get("ProvisionedConcurrency", 0))
                    variant["ServerlessConfig"] = variant["DesiredServerlessConfig"]
            except DeploymentFailed as failure:
                if self._stopping():
                    return
                reason = str(failure)
                variant["DesiredInstanceCount"] = fleet.count(name)
            variant.pop("DesiredServerlessConfig", None)
            variant["CurrentWeight"] = variant["DesiredWeight"]
        finished(reason)
        self._finish(endpoint, "InService", reason)
        self._asynchronous.process(key, endpoint)

    def _delete(self, key: EndpointKey, remove: Callable[[], None]) -> None:
        live = self._live.traffic(key)
        for fleet in (live.current, live.next):
            if fleet:
                fleet.end()
        self._live.forget(key)
        self._metrics.forget(key)
        remove()
        self._runtime.changed()

    def _fleet(self, key: EndpointKey, deployment: dict[str, Any]) -> Fleet:
        serverless = any("ServerlessConfig" in variant for variant in deployment["Variants"])
        kind = ServerlessFleet if serverless else Fleet
        return kind(self._runtime, deployment, key.region, EndpointLog(key).write)

    def _finish(self, endpoint: Endpoint, status: str, reason: str | None = None) -> None:
        """Set the final status of a change."""
        endpoint["LastModifiedTime"] = datetime.now(timezone.utc)
        if reason:
            endpoint["FailureReason"] = reason
        else:
            endpoint.pop("FailureReason", None)
        endpoint["EndpointStatus"] = status  # last: callers that wait for the status then read the rest
        events.endpoint(endpoint)
        self._runtime.changed()
