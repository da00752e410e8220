"""Asynchronous inference: requests in S3 wait in the endpoint's record, answers go to S3, news of them to SNS."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import ServiceException

from embedded_aws import runtime
from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.sagemaker.hosting import metrics
from embedded_aws.services.sagemaker.hosting.errors import ModelError, ServiceUnavailable, ValidationError
from embedded_aws.services.sagemaker.hosting.live import Key, traffic
from embedded_aws.services.sagemaker.hosting.models import PRINCIPAL
from embedded_aws.services.sagemaker.hosting.routing import SERVING, Answer, invoke

log = logging.getLogger(__name__)

CONCURRENCY = 4  # requests per instance, if the configuration does not say
TIMEOUT = 900  # seconds for the model, if the request does not say
LIVES = 21_600  # seconds of the service that a request may wait, if it does not say
SECONDS = {"InvocationTimeoutSeconds": (1, 3600), "RequestTTLSeconds": (60, 21_600)}
FORWARDED = {
    "X-Amzn-SageMaker-Content-Type": "Content-Type",
    "X-Amzn-SageMaker-Accept": "Accept",
    "X-Amzn-SageMaker-Custom-Attributes": "X-Amzn-SageMaker-Custom-Attributes",
}


class Failed(Exception):
    """A request's failure; the message is what its FailureLocation gets."""


_working: dict[Key, set[str]] = {}  # the identifiers of the requests that a thread has taken, by endpoint
_lock = threading.Lock()


def submit(key: Key, endpoint: dict[str, Any] | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """Queue a request; `headers` are InvokeEndpointAsync's. Returns its record. Raises ValidationError."""
    account, _, name = key
    if endpoint is None or endpoint["EndpointStatus"] not in SERVING or not endpoint["Deployed"]:
        raise ValidationError(f"Endpoint {name} of account {account} not found.")
    config = endpoint["Deployed"].get("AsyncInferenceConfig")
    if not config:
        raise ValidationError(f"Endpoint {name} is not configured for asynchronous inference.")
    location = headers.get("X-Amzn-SageMaker-InputLocation", "")
    if not location.startswith("s3://"):
        raise ValidationError("InputLocation must be an S3 URI: the embedded AWS takes no body here.")
    timeout, lives = (_seconds(headers, name) for name in SECONDS)
    number, output = str(uuid.uuid4()), config["OutputConfig"]
    request = {
        "Id": headers.get("X-Amzn-SageMaker-Inference-Id") or str(uuid.uuid4()),
        "Key": number,
        "InputLocation": location,
        "OutputLocation": f"{output['S3OutputPath'].rstrip('/')}/{number}.out"
        if "S3OutputPath" in output
        else None,
        "FailureLocation": (
            f"{output['S3FailurePath'].rstrip('/')}/{number}-error.out" if "S3FailurePath" in output else None
        ),
        "Headers": {to: headers[name] for name, to in FORWARDED.items() if name in headers},
        "Timeout": timeout or TIMEOUT,
        "Lives": lives or LIVES,
        "ReceivedTime": _now(),
    }
    if request["OutputLocation"] is None:
        raise ValidationError("The embedded AWS needs S3OutputPath in the endpoint's AsyncInferenceConfig.")
    with _lock:
        endpoint.setdefault("AsyncQueue", []).append(request)
    work(key, endpoint)
    return request


def _seconds(headers: Mapping[str, str], name: str) -> int | None:
    """A header's number. Raises ValidationError beyond its bounds."""
    text = headers.get(f"X-Amzn-SageMaker-{name}")
    low, high = SECONDS[name]
    if text is not None and not (text.isdecimal() and low <= int(text) <= high):
        raise ValidationError(f"{name} must be between {low} and {high} seconds, not {text}.")
    return int(text) if text else None


def report(key: Key, endpoint: dict[str, Any]) -> None:
    """Record the endpoint's backlog: what waits and what is being processed."""
    with _lock:
        queue = list(endpoint.get("AsyncQueue", []))
    fleet = traffic(key).current
    instances = sum(len(found) for found in fleet.instances().values()) if fleet else 0
    values = {
        "ApproximateBacklogSize": float(len(queue)),
        "ApproximateBacklogSizePerInstance": len(queue) / max(1, instances),
        "HasBacklogWithoutCapacity": float(bool(queue) and not instances),
    }
    if queue:
        values["ApproximateAgeOfOldestRequest"] = max(_age(request) for request in queue)
    metrics.record(key, None, values)


def _age(request: dict[str, Any]) -> float:
    """Seconds of the service since the request came."""
    since = datetime.now(timezone.utc) - datetime.fromisoformat(request["ReceivedTime"])
    return since.total_seconds() * runtime.current().time_scale


def work(key: Key, endpoint: dict[str, Any]) -> None:
    """Start a thread for every waiting request that there is room for."""
    while request := _take(key, endpoint):
        threading.Thread(target=_run, args=(key, endpoint, request), name="async", daemon=True).start()


def _take(key: Key, endpoint: dict[str, Any]) -> dict[str, Any] | None:
    fleet = traffic(key).current
    config = (endpoint["Deployed"] or {}).get("AsyncInferenceConfig")
    if fleet is None or not config:
        return None
    each = config.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", CONCURRENCY)
    room = each * sum(i.healthy for instances in fleet.instances().values() for i in instances)
    with _lock:
        taken = _working.setdefault(key, set())
        waiting = [r for r in endpoint.get("AsyncQueue", []) if r["Key"] not in taken]
        if not waiting or len(taken) >= room:
            return None
        taken.add(waiting[0]["Key"])
        return waiting[0]


def _run(key: Key, endpoint: dict[str, Any], request: dict[str, Any]) -> None:
    """One request to its end, then the next one's start."""
    deployment = endpoint["Deployed"]
    waits = False
    try:
        _answer(key, endpoint, deployment, request)
    except ServiceUnavailable:  # the last instance has gone since: it waits for another
        waits = True
    except (ClientError, BotoCoreError, RoleNotAssumable) as error:
        log.warning("asynchronous inference %s of %s failed: %s", request["Id"], key[2], error)
    finally:
        stopping = runtime.current().stopping.is_set()
        with _lock:
            _working[key].discard(request["Key"])
            if not stopping and not waits:  # else it is asked again, if need be after the restart
                endpoint["AsyncQueue"].remove(request)
        if not stopping and not waits:
            runtime.current().changed()
            work(key, endpoint)


def _answer(key: Key, endpoint: dict[str, Any], deployment: dict[str, Any], request: dict[str, Any]) -> None:
    output = deployment["AsyncInferenceConfig"]["OutputConfig"]
    role = deployment["Variants"][0]["RoleArn"]
    s3 = runtime.current().client("s3", role, PRINCIPAL, key[1], "SageMaker")
    encryption = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output["KmsKeyId"]} if "KmsKeyId" in output else {}
    )
    waited, variant, reason = _age(request), deployment["Variants"][0]["VariantName"], None
    lives = request.get("Lives", LIVES)
    try:
        if waited > lives:
            raise Failed(f"The request waited longer than its RequestTTLSeconds, {lives}.")
        answer = _ask(key, endpoint, s3, request)
    except Failed as failure:
        reason = str(failure)
    if runtime.current().stopping.is_set():
        return
    measured = {
        "TimeInBacklog": waited * 1e6,
        "ExpiredRequests": float(waited > lives),
        "InvocationsProcessed": 1.0,
        "InvocationFailures": float(reason is not None),
        "TotalProcessingTime": _age(request) * 1e3,
    }
    metrics.record(key, variant, measured)
    location = request["FailureLocation"] if reason is not None else request["OutputLocation"]
    content_type = "text/plain"
    if location:
        bucket, _, name = location.removeprefix("s3://").partition("/")
        content = reason.encode() if reason is not None else answer.body
        if reason is None:
            content_type = answer.headers.get("Content-Type", "application/octet-stream")
        s3.put_object(Bucket=bucket, Key=name, Body=content, ContentType=content_type, **encryption)
    topics = output.get("NotificationConfig", {})
    topic = topics.get("ErrorTopic" if reason is not None else "SuccessTopic")
    if topic:
        sns = runtime.current().client("sns", role, PRINCIPAL, key[1], "SageMaker")
        sns.publish(TopicArn=topic, Message=json.dumps(_news(key, request, reason, content_type)))


def _ask(key: Key, endpoint: dict[str, Any], s3: Any, request: dict[str, Any]) -> Answer:
    """Raises Failed, or ServiceUnavailable if there is no instance to ask."""
    bucket, _, name = request["InputLocation"].removeprefix("s3://").partition("/")
    try:
        body = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    except ClientError as error:
        raise Failed(f"Unable to download the input from {request['InputLocation']}: {error}") from error
    try:
        return invoke(key, endpoint, None, body, request["Headers"], request["Timeout"])
    except ModelError as error:
        raise Failed(error.original_message) from error
    except ServiceUnavailable:
        raise
    except ServiceException as error:
        raise Failed(error.message) from error


def _news(key: Key, request: dict[str, Any], reason: str | None, content_type: str) -> dict[str, Any]:
    news = {
        "awsRegion": key[1],
        "eventTime": _now(),
        "receivedTime": request["ReceivedTime"],
        "invocationStatus": "Completed" if reason is None else "Failed",
        "requestParameters": {"endpointName": key[2], "inputLocation": request["InputLocation"]},
        "inferenceId": request["Id"],
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if reason is None:
        return {
            **news,
            "responseParameters": {"contentType": content_type, "outputLocation": request["OutputLocation"]},
        }
    return {**news, "failureReason": reason, "failureLocation": request["FailureLocation"]}


def _now() -> str:
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
