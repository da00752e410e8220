"""Asynchronous inference: requests queue in the endpoint's record, results go to S3, notifications to SNS."""

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

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime
from embedded_aws.s3_uri import SCHEME, split
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.hosting.exceptions import ModelError, ServiceUnavailable, ValidationError
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.metrics import EndpointMetrics
from embedded_aws.services.sagemaker.hosting.routing import SERVING, EndpointRouter, Prediction
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints

log = logging.getLogger(__name__)

CONCURRENCY = 4  # requests per instance, if the configuration sets none
TIMEOUT = 900  # seconds for the model, if the request sets none
TIME_TO_LIVE = 21_600  # seconds of service time that a request may wait, if it sets none
SECONDS = {"InvocationTimeoutSeconds": (1, 3600), "RequestTTLSeconds": (60, 21_600)}
FORWARDED = {
    "X-Amzn-SageMaker-Content-Type": "Content-Type",
    "X-Amzn-SageMaker-Accept": "Accept",
    "X-Amzn-SageMaker-Custom-Attributes": "X-Amzn-SageMaker-Custom-Attributes",
}


class RequestFailed(Exception):
    """An asynchronous request failed. The message is written to its FailureLocation."""


class AsyncInference:
    """Queues asynchronous requests and processes them in threads."""

    def __init__(
        self, runtime: Runtime, live: LiveEndpoints, metrics: EndpointMetrics, router: EndpointRouter
    ) -> None:
        self._runtime, self._live, self._metrics, self._router = runtime, live, metrics, router
        self._running: dict[EndpointKey, set[str]] = {}  # keys of the requests in progress, by endpoint
        self._lock = threading.Lock()

    def submit(
        self, key: EndpointKey, endpoint: dict[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Queue a request and return its record. Raises ValidationError.

        headers: of InvokeEndpointAsync.
        """
        if endpoint is None or endpoint["EndpointStatus"] not in SERVING or not endpoint["Deployed"]:
            raise ValidationError(f"Endpoint {key.name} of account {key.account} not found.")
        config = endpoint["Deployed"].get("AsyncInferenceConfig")
        if not config:
            raise ValidationError(f"Endpoint {key.name} is not configured for asynchronous inference.")
        request = _request(config["OutputConfig"], headers)
        with self._lock:
            endpoint.setdefault("AsyncQueue", []).append(request)
        self.process(key, endpoint)
        return request

    def process(self, key: EndpointKey, endpoint: dict[str, Any]) -> None:
        """Start a thread for every queued request that an instance has capacity for."""
        while request := self._next(key, endpoint):
            threading.Thread(
                target=self._run, args=(key, endpoint, request), name="async", daemon=True
            ).start()

    def report_backlog(self, key: EndpointKey, endpoint: dict[str, Any]) -> None:
        """Record the metrics of the endpoint's queue, requests in progress included."""
        with self._lock:
            queue = list(endpoint.get("AsyncQueue", []))
        fleet = self._live.traffic(key).current
        instances = sum(len(found) for found in fleet.instances().values()) if fleet else 0
        values = {
            "ApproximateBacklogSize": float(len(queue)),
            "ApproximateBacklogSizePerInstance": len(queue) / max(1, instances),
            "HasBacklogWithoutCapacity": float(bool(queue) and not instances),
        }
        if queue:
            values["ApproximateAgeOfOldestRequest"] = max(self._age(request) for request in queue)
        self._metrics.record(key, None, values)

    def _age(self, request: dict[str, Any]) -> float:
        """Return the age of a request, in seconds of service time."""
        since = datetime.now(timezone.utc) - datetime.fromisoformat(request["ReceivedTime"])
        return since.total_seconds() * self._runtime.time_scale

    def _next(self, key: EndpointKey, endpoint: dict[str, Any]) -> dict[str, Any] | None:
        fleet = self._live.traffic(key).current
        config = (endpoint["Deployed"] or {}).get("AsyncInferenceConfig")
        if fleet is None or not config:
            return None
        each = config.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", CONCURRENCY)
        capacity = each * sum(i.healthy for instances in fleet.instances().values() for i in instances)
        with self._lock:
            running = self._running.setdefault(key, set())
            waiting: list[dict[str, Any]] = [
                r for r in endpoint.get("AsyncQueue", []) if r["Key"] not in running
            ]
            if not waiting or len(running) >= capacity:
                return None
            running.add(waiting[0]["Key"])
            return waiting[0]

    def _run(self, key: EndpointKey, endpoint: dict[str, Any], request: dict[str, Any]) -> None:
        """Process one request, then start the next one."""
        deployment = endpoint["Deployed"]
        requeued = False
        try:
            self._process_one(key, endpoint, deployment, request)
        except ServiceUnavailable:  # the last instance ended: the request waits for another
            requeued = True
        except (ClientError, BotoCoreError, RoleNotAssumable) as error:
            log.warning("asynchronous inference %s of %s failed: %s", request["Id"], key.name, error)
        finally:
            done = not requeued and not self._runtime.stopping.is_set()  # at shutdown it runs again later
            with self._lock:
                self._running[key].discard(request["Key"])
                if done:
                    endpoint["AsyncQueue"].remove(request)
        if done:
            self._runtime.changed()
            self.process(key, endpoint)

    def _process_one(
        self, key: EndpointKey, endpoint: dict[str, Any], deployment: dict[str, Any], request: dict[str, Any]
    ) -> None:
        variant = deployment["Variants"][0]
        role = variant["RoleArn"]
        s3 = roles.client(self._runtime, "s3", role, key.region)
        waited, lifetime = self._age(request), request["TimeToLive"]
        reason, content, content_type = None, b"", "text/plain"
        try:
            if waited > lifetime:
                raise RequestFailed(f"The request waited longer than its RequestTTLSeconds, {lifetime}.")
            prediction = self._predict(key, endpoint, s3, request)
            content = prediction.body
            content_type = prediction.headers.get("Content-Type", "application/octet-stream")
        except RequestFailed as failure:
            reason = str(failure)
            content = reason.encode()
        if self._runtime.stopping.is_set():
            return
        measured = {
            "TimeInBacklog": waited * 1e6,
            "ExpiredRequests": float(waited > lifetime),
            "InvocationsProcessed": 1.0,
            "InvocationFailures": float(reason is not None),
            "TotalProcessingTime": self._age(request) * 1e3,
        }
        self._metrics.record(key, variant["VariantName"], measured)
        output = deployment["AsyncInferenceConfig"]["OutputConfig"]
        location = request["FailureLocation"] if reason is not None else request["OutputLocation"]
        if location:
            bucket, name = split(location)
            kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output.get("KmsKeyId")}
            s3.put_object(
                Bucket=bucket,
                Key=name,
                Body=content,
                ContentType=content_type,
                **(kms if "KmsKeyId" in output else {}),
            )
        topics = output.get("NotificationConfig", {})
        topic = topics.get("ErrorTopic" if reason is not None else "SuccessTopic")
        if topic:
            sns = roles.client(self._runtime, "sns", role, key.region)
            message = _notification(key, request, reason, content_type)
            sns.publish(TopicArn=topic, Message=json.dumps(message))

    def _predict(
        self, key: EndpointKey, endpoint: dict[str, Any], s3: Any, request: dict[str, Any]
    ) -> Prediction:
        """Raises RequestFailed, or ServiceUnavailable without a healthy instance."""
        bucket, name = split(request["InputLocation"])
        try:
            body = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        except ClientError as error:
            raise RequestFailed(
                f"Unable to download the input from {request['InputLocation']}: {error}"
            ) from error
        try:
            return self._router.invoke(key, endpoint, None, body, request["Headers"], request["Timeout"])
        except ModelError as error:
            raise RequestFailed(error.original_message) from error
        except ServiceUnavailable:
            raise
        except ServiceException as error:
            raise RequestFailed(error.message) from error


def _request(output: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the record of a request. Raises ValidationError.

    output: the OutputConfig of the endpoint.
    """
    location = headers.get("X-Amzn-SageMaker-InputLocation", "")
    if not location.startswith(SCHEME):
        raise ValidationError(
            "InputLocation must be an S3 URI: the embedded AWS accepts no request body here."
        )
    if "S3OutputPath" not in output:
        raise ValidationError("The embedded AWS needs S3OutputPath in the endpoint's AsyncInferenceConfig.")
    timeout, lifetime = (_seconds(headers, name) for name in SECONDS)
    number = str(uuid.uuid4())
    return {
        "Id": headers.get("X-Amzn-SageMaker-Inference-Id") or str(uuid.uuid4()),
        "Key": number,
        "InputLocation": location,
        "OutputLocation": f"{output['S3OutputPath'].rstrip('/')}/{number}.out",
        "FailureLocation": (
            f"{output['S3FailurePath'].rstrip('/')}/{number}-error.out" if "S3FailurePath" in output else None
        ),
        "Headers": {to: headers[name] for name, to in FORWARDED.items() if name in headers},
        "Timeout": timeout or TIMEOUT,
        "TimeToLive": lifetime or TIME_TO_LIVE,
        "ReceivedTime": _now(),
    }


def _seconds(headers: Mapping[str, str], name: str) -> int | None:
    """Return the number in a header. Raises ValidationError if it is out of range."""
    text = headers.get(f"X-Amzn-SageMaker-{name}")
    low, high = SECONDS[name]
    if text is not None and not (text.isdecimal() and low <= int(text) <= high):
        raise ValidationError(f"{name} must be between {low} and {high} seconds, not {text}.")
    return int(text) if text else None


def _notification(
    key: EndpointKey, request: dict[str, Any], reason: str | None, content_type: str
) -> dict[str, Any]:
    """Return the SNS message about a finished request, in AWS's format."""
    common = {
        "awsRegion": key.region,
        "eventTime": _now(),
        "receivedTime": request["ReceivedTime"],
        "invocationStatus": "Completed" if reason is None else "Failed",
        "requestParameters": {"endpointName": key.name, "inputLocation": request["InputLocation"]},
        "inferenceId": request["Id"],
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if reason is None:
        location = {"contentType": content_type, "outputLocation": request["OutputLocation"]}
        return {**common, "responseParameters": location}
    return {**common, "failureReason": reason, "failureLocation": request["FailureLocation"]}


def _now() -> str:
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
