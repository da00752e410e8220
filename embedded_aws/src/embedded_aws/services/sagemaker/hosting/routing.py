"""An invocation's way: endpoint → variant by weight → the healthy instance with the least to do."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from email.message import Message
from typing import Any

from embedded_aws import runtime
from embedded_aws.services.sagemaker.hosting import metrics
from embedded_aws.services.sagemaker.hosting.capture import captures
from embedded_aws.services.sagemaker.hosting.errors import ModelError, ServiceUnavailable, ValidationError
from embedded_aws.services.sagemaker.hosting.failures import StartFailed
from embedded_aws.services.sagemaker.hosting.fleet import Fleet
from embedded_aws.services.sagemaker.hosting.instances import MODEL_TIMEOUT, Instance
from embedded_aws.services.sagemaker.hosting.live import Key, traffic

RECOVERY_TIMEOUT = 60.0  # seconds that a request waits for an endpoint that comes back after a restart
NOT_OF_ASYNCHRONOUS = (
    "Invocations",
    "InvocationsPerInstance",
    "OverheadLatency",
)  # asynchronous inference has its own
SERVING = ("InService", "Updating", "RollingBack", "SystemUpdating", "UpdateRollbackFailed")


@dataclass
class Answer:
    """What a container said."""

    variant: str
    headers: Message
    body: bytes


def invoke(
    key: Key,
    endpoint: dict[str, Any] | None,
    target: str | None,
    body: bytes,
    headers: dict[str, str],
    timeout: float = MODEL_TIMEOUT,
) -> Answer:
    """Ask an instance of the endpoint. Raises one of the errors of the runtime."""
    started = time.perf_counter()
    account, _, name = key
    if endpoint is None or endpoint["EndpointStatus"] not in SERVING or not endpoint["Deployed"]:
        raise ValidationError(f"Endpoint {name} of account {account} not found.")
    mirrored = False
    while True:
        try:
            fleet, variant, instance = _pick(key, endpoint, target)
        except StartFailed as failure:
            _record(key, {}, failure.variant, 0, 0.0, time.perf_counter() - started, {})
            raise _model_error(key, failure.variant, failure.instance, 0, str(failure).encode()) from failure
        if not mirrored:
            mirrored = True
            _mirror(key, fleet, body, headers)
        asked = time.perf_counter()
        try:
            status, answer_headers, content = _ask(instance, body, headers, timeout)
        except ConnectionRefusedError:  # nothing was sent: it ended, or died, since it was picked
            instance.healthy = False
            continue
        finally:
            measured = fleet.measured(variant["VariantName"], instance)
            fleet.done(instance)
        break
    model, total = time.perf_counter() - asked, time.perf_counter() - started
    _record(key, fleet.deployment, variant, status, model, total, measured)
    if _failed(status):
        raise _model_error(key, variant, instance, status, content)
    captures.offer(key, fleet.deployment, variant, headers, body, answer_headers, content)
    return Answer(variant["VariantName"], answer_headers, content)


def _mirror(key: Key, fleet: Fleet, body: bytes, headers: dict[str, str]) -> None:
    """Send a copy to the shadow variant, if there is one and it is sampled; nobody waits for its answer."""
    picked = fleet.pick_shadow()
    if picked:
        arguments = (key, fleet, *picked, body, headers)
        threading.Thread(target=_ask_shadow, args=arguments, name="shadow", daemon=True).start()


def _ask_shadow(
    key: Key, fleet: Fleet, variant: dict[str, Any], instance: Instance, body: bytes, headers: dict[str, str]
) -> None:
    asked = time.perf_counter()
    try:
        status, answer_headers, content = _ask(instance, body, headers, MODEL_TIMEOUT)
    except ConnectionRefusedError:
        instance.healthy = False
        return
    finally:
        measured = fleet.measured(variant["VariantName"], instance)
        fleet.done(instance)
    model = time.perf_counter() - asked
    _record(key, fleet.deployment, variant, status, model, model, measured)
    if not _failed(status):
        captures.offer(key, fleet.deployment, variant, headers, body, answer_headers, content)


def _ask(
    instance: Instance, body: bytes, headers: dict[str, str], timeout: float
) -> tuple[int, Message, bytes]:
    """Status, headers and body; status 0 if there was no answer. Raises ConnectionRefusedError if nothing was sent."""
    try:
        return instance.ask("POST", "/invocations", body, headers, timeout)
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


def _record(
    key: Key,
    deployment: dict[str, Any],
    variant: dict[str, Any],
    status: int,
    model: float,
    total: float,
    measured: dict[str, float],
) -> None:
    """The metrics of a request; `model` and `total` are seconds."""
    values = {
        "Invocations": 1.0,
        "ModelLatency": model * 1e6,
        "OverheadLatency": (total - model) * 1e6,
        "Invocation4XXErrors": float(400 <= status < 500),
        "Invocation5XXErrors": float(status == 0 or status >= 500),
        "InvocationModelErrors": float(_failed(status)),
    }
    values |= measured
    if deployment.get("AsyncInferenceConfig"):
        values = {name: value for name, value in values.items() if name not in NOT_OF_ASYNCHRONOUS}
    metrics.record(key, variant["VariantName"], values)


def _failed(status: int) -> bool:
    return status == 0 or status >= 400


def _pick(key: Key, endpoint: dict[str, Any], target: str | None):
    deadline = time.monotonic() + RECOVERY_TIMEOUT
    while True:
        fleet = traffic(key).fleet()
        try:
            picked = fleet.pick(target) if fleet else None
        except KeyError:
            raise ValidationError(f"Variant {target} not found for endpoint {key[2]}.") from None
        if picked:
            return fleet, *picked
        live = traffic(key)
        replaced = fleet is not None and fleet not in (live.current, live.next)  # since it was looked up
        coming = endpoint["EndpointStatus"] in ("SystemUpdating", "Updating", "RollingBack")
        if not (replaced or coming) or time.monotonic() > deadline:
            raise ServiceUnavailable(f"Endpoint {key[2]} has no healthy instance.")
        if runtime.current().stopping.wait(0.05):
            raise ServiceUnavailable("The embedded AWS is stopping.")


def _model_error(
    key: Key, variant: dict[str, Any], instance: Instance, status: int, content: bytes
) -> ModelError:
    account, region, name = key
    group = f"/aws/sagemaker/Endpoints/{name}"
    text = content.decode(errors="replace")
    side = "client" if 400 <= status < 500 else "server"
    message = (
        f'Received {side} error ({status}) from primary with message "{text}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} in "
        f"account {account} for more information."
    )
    stream = (
        f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{variant['VariantName']}/{instance.id}"
    )
    return ModelError(message, status, text, stream)
