"""An invocation's way: endpoint → variant by weight → the healthy instance with the least to do."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from email.message import Message
from typing import Any

from moto.core.exceptions import ServiceException

from local_aws import runtime
from local_aws.sagemaker.hosting import metrics
from local_aws.sagemaker.hosting.capture import captures
from local_aws.sagemaker.hosting.instances import MODEL_TIMEOUT, Instance
from local_aws.sagemaker.hosting.live import Key, traffic

RECOVERY_TIMEOUT = 60.0  # seconds that a request waits for an endpoint that comes back after a restart
SERVING = ("InService", "Updating", "RollingBack", "SystemUpdating")


class ValidationError(ServiceException):
    code = "ValidationError"


class ServiceUnavailable(ServiceException):
    code = "ServiceUnavailable"


class ModelError(ServiceException):
    """The container answered with an error, or not at all (status 0)."""

    code = "ModelError"

    def __init__(self, message: str, status: int, original: str, log_stream_arn: str):
        super().__init__(message)
        self.original_status_code = status
        self.original_message = original
        self.log_stream_arn = log_stream_arn


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
    """Ask an instance of the endpoint. Raises ValidationError, ServiceUnavailable or ModelError."""
    started = time.perf_counter()
    account, _, name = key
    if endpoint is None or endpoint["EndpointStatus"] not in SERVING or not endpoint["Deployed"]:
        raise ValidationError(f"Endpoint {name} of account {account} not found.")
    while True:
        fleet, variant, instance = _pick(key, endpoint, target)
        asked = time.perf_counter()
        try:
            status, answer_headers, content = instance.ask("POST", "/invocations", body, headers, timeout)
        except (
            ConnectionRefusedError
        ):  # it ended, or its container died, since it was picked: nothing was sent
            instance.healthy = False
            continue
        except TimeoutError:
            status, answer_headers = 0, Message()
            content = (
                b"Your invocation timed out while waiting for a response from container primary. Review the latency "
                b"metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
        except (OSError, http.client.HTTPException):
            status, answer_headers = 0, Message()
            content = b"The container closed the connection without an answer."
        finally:
            fleet.done(instance)
        break
    model, total = time.perf_counter() - asked, time.perf_counter() - started
    failed_in_model = status == 0 or status >= 400
    metrics.record(
        key,
        variant["VariantName"],
        {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0 / max(1, fleet.count(variant["VariantName"])),
            "ModelLatency": model * 1e6,
            "OverheadLatency": (total - model) * 1e6,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status == 0 or status >= 500),
            "InvocationModelErrors": float(failed_in_model),
        },
    )
    if failed_in_model:
        raise _model_error(key, variant["VariantName"], instance, status, content)
    captures.offer(key, fleet.deployment, variant, headers, body, answer_headers, content)
    return Answer(variant["VariantName"], answer_headers, content)


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


def _model_error(key: Key, variant: str, instance: Instance, status: int, content: bytes) -> ModelError:
    account, region, name = key
    group = f"/aws/sagemaker/Endpoints/{name}"
    text = content.decode(errors="replace")
    side = "client" if 400 <= status < 500 else "server"
    message = (
        f'Received {side} error ({status}) from primary with message "{text}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} in "
        f"account {account} for more information."
    )
    stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{variant}/{instance.id}"
    return ModelError(message, status, text, stream)
