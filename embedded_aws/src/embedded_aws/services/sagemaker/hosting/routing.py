"""How an invocation reaches a container: endpoint, variant by weight, least busy healthy instance."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from email.message import Message
from typing import Any, NamedTuple

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting.capture import DataCapture
from embedded_aws.services.sagemaker.hosting.exceptions import (
    ColdStartFailed,
    ModelError,
    ServiceUnavailable,
    ValidationError,
)
from embedded_aws.services.sagemaker.hosting.fleet import Fleet
from embedded_aws.services.sagemaker.hosting.instances import MODEL_TIMEOUT, Instance
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.logs import log_group
from embedded_aws.services.sagemaker.hosting.metrics import EndpointMetrics
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints

RECOVERY_TIMEOUT = 60.0  # seconds that a request waits for an endpoint to recover after a restart
SYNCHRONOUS_ONLY = ("Invocations", "InvocationsPerInstance", "OverheadLatency")  # metrics
SERVING = ("InService", "Updating", "RollingBack", "SystemUpdating", "UpdateRollbackFailed")


@dataclass(frozen=True)
class Prediction:
    """A container's response."""

    variant: str
    headers: Message
    body: bytes


class _Target(NamedTuple):
    """The instance that handles a request."""

    fleet: Fleet
    variant: dict[str, Any]
    instance: Instance


class EndpointRouter:
    """Routes invocations to instances, and records their metrics and captured data."""

    def __init__(
        self, runtime: Runtime, live: LiveEndpoints, metrics: EndpointMetrics, capture: DataCapture
    ) -> None:
        self._stopping = runtime.stopping
        self._live, self._metrics, self._capture = live, metrics, capture

    def invoke(
        self,
        key: EndpointKey,
        endpoint: dict[str, Any] | None,
        variant: str | None,
        body: bytes,
        headers: dict[str, str],
        timeout: float = MODEL_TIMEOUT,
    ) -> Prediction:
        """Send a request to an instance of the endpoint.

        endpoint: its record, if there is one.
        variant: TargetVariant; None chooses by weight.
        Raises the errors of InvokeEndpoint.
        """
        started = time.perf_counter()
        if endpoint is None or endpoint["EndpointStatus"] not in SERVING or not endpoint["Deployed"]:
            raise ValidationError(f"Endpoint {key.name} of account {key.account} not found.")
        mirrored = False
        while True:
            try:
                target = self._acquire(key, endpoint, variant)
            except ColdStartFailed as failure:
                self._record(key, {}, failure.variant, 0, 0.0, time.perf_counter() - started, {})
                raise _model_error(
                    key, failure.variant, failure.instance_id, 0, str(failure).encode()
                ) from failure
            if not mirrored:
                mirrored = True
                self._mirror(key, target.fleet, body, headers)
            sent = time.perf_counter()
            try:
                status, response_headers, content = _send(target.instance, body, headers, timeout)
            except ConnectionRefusedError:  # nothing was sent: the container ended after it was chosen
                target.instance.healthy = False
                continue
            finally:
                measured = _release(target)
            break
        latency, total = time.perf_counter() - sent, time.perf_counter() - started
        self._record(key, target.fleet.deployment, target.variant, status, latency, total, measured)
        if _failed(status):
            raise _model_error(key, target.variant, target.instance.id, status, content)
        self._capture.offer(
            key, target.fleet.deployment, target.variant, headers, body, response_headers, content
        )
        return Prediction(target.variant["VariantName"], response_headers, content)

    def _mirror(self, key: EndpointKey, fleet: Fleet, body: bytes, headers: dict[str, str]) -> None:
        """Send a copy to the shadow variant, if the sample includes the request. Its response is discarded."""
        acquired = fleet.acquire_shadow()
        if acquired:
            arguments = (key, _Target(fleet, *acquired), body, headers)
            threading.Thread(target=self._send_shadow, args=arguments, name="shadow", daemon=True).start()

    def _send_shadow(self, key: EndpointKey, target: _Target, body: bytes, headers: dict[str, str]) -> None:
        sent = time.perf_counter()
        try:
            status, response_headers, content = _send(target.instance, body, headers, MODEL_TIMEOUT)
        except ConnectionRefusedError:
            target.instance.healthy = False
            return
        finally:
            measured = _release(target)
        latency = time.perf_counter() - sent
        deployment = target.fleet.deployment
        self._record(key, deployment, target.variant, status, latency, latency, measured)
        if not _failed(status):
            self._capture.offer(key, deployment, target.variant, headers, body, response_headers, content)

    def _acquire(self, key: EndpointKey, endpoint: dict[str, Any], variant: str | None) -> _Target:
        """Choose an instance; wait for one while the endpoint starts, updates or recovers."""
        deadline = time.monotonic() + RECOVERY_TIMEOUT
        while True:
            fleet = self._live.traffic(key).choose()
            try:
                acquired = fleet.acquire(variant) if fleet else None
            except KeyError:
                raise ValidationError(f"Variant {variant} not found for endpoint {key.name}.") from None
            if fleet and acquired:
                return _Target(fleet, *acquired)
            live = self._live.traffic(key)
            replaced = fleet is not None and fleet not in (live.current, live.next)
            changing = endpoint["EndpointStatus"] in ("SystemUpdating", "Updating", "RollingBack")
            if not (replaced or changing) or time.monotonic() > deadline:
                raise ServiceUnavailable(f"Endpoint {key.name} has no healthy instance.")
            if self._stopping.wait(0.05):
                raise ServiceUnavailable("The embedded AWS is stopping.")

    def _record(
        self,
        key: EndpointKey,
        deployment: dict[str, Any],
        variant: dict[str, Any],
        status: int,
        latency: float,
        total: float,
        measured: dict[str, float],
    ) -> None:
        """Record the metrics of a request.

        latency: of the model, in seconds.
        total: of the whole request, in seconds.
        measured: further metrics, from the fleet.
        """
        values = {
            "Invocations": 1.0,
            "ModelLatency": latency * 1e6,
            "OverheadLatency": (total - latency) * 1e6,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status == 0 or status >= 500),
            "InvocationModelErrors": float(_failed(status)),
        } | measured
        if deployment.get("AsyncInferenceConfig"):
            values = {name: value for name, value in values.items() if name not in SYNCHRONOUS_ONLY}
        config = deployment.get("EndpointConfigName")
        self._metrics.record(key, variant["VariantName"], values, config=config)


def _send(
    instance: Instance, body: bytes, headers: dict[str, str], timeout: float
) -> tuple[int, Message, bytes]:
    """Return status, headers and body; status 0 without a response.

    Raises ConnectionRefusedError if nothing was sent.
    """
    try:
        return instance.request("POST", "/invocations", body, headers, timeout)
    except ConnectionRefusedError:
        raise
    except TimeoutError:
        text = (
            b"Your invocation timed out while waiting for a response from container primary. Review the latency "
            b"metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
        )
    except (OSError, http.client.HTTPException):
        text = b"The container closed the connection without an answer."
    return 0, Message(), text


def _release(target: _Target) -> dict[str, float]:
    """Release the instance and return the fleet's metrics of the request."""
    measured = target.fleet.request_metrics(target.variant["VariantName"], target.instance)
    target.fleet.release(target.instance)
    return measured


def _failed(status: int) -> bool:
    return status == 0 or status >= 400


def _model_error(
    key: EndpointKey, variant: dict[str, Any], instance_id: str, status: int, content: bytes
) -> ModelError:
    account, region, name = key
    group = log_group(name)
    text = content.decode(errors="replace")
    side = "client" if 400 <= status < 500 else "server"
    message = (
        f'Received {side} error ({status}) from primary with message "{text}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} in "
        f"account {account} for more information."
    )
    stream = (
        f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{variant['VariantName']}/{instance_id}"
    )
    return ModelError(message, status, text, stream)
