"""Asynchronous invocation: accepts events, runs and retries them, sends the results to destinations."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import JsonRESTError

from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_.backend import backend_of, backends
from embedded_aws.services.lambda_.exceptions import TooManyRequestsException
from embedded_aws.services.lambda_.invoker import InvokeResponse
from embedded_aws.services.lambda_.metrics import Metrics
from embedded_aws.services.lambda_.versions import Target

log = logging.getLogger(__name__)

RETRY_SECONDS = (60.0, 120.0)
THROTTLED_SECONDS = 1.0
MAX_AGE_SECONDS = 21600
AGED = "EventAgeExceeded"
WORKERS = 8

Run = Callable[[str, Target, bytes, str], InvokeResponse]


class AsynchronousInvocations:
    """Runs events in the background.

    Accepted events are in the backend's state until they are done, so that a restart resumes them.
    """

    def __init__(self, runtime: Runtime, run: Run, metrics: Metrics) -> None:
        """run: runs a version; its arguments are region, target, payload and request ID."""
        self._runtime, self._run_version, self._metrics = runtime, run, metrics
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="lambda-events")

    def submit(self, region: str, name: str, qualifier: str | None, payload: bytes) -> str:
        """Accept an event. Returns its request ID."""
        request_id = str(uuid.uuid4())
        backend_of(region).pending_events[request_id] = {
            "name": name,
            "qualifier": qualifier,
            "payload": payload,
            "accepted": time.time(),
            "attempts": 0,
        }
        self._workers.submit(self._attempt, region, request_id)
        return request_id

    def resume(self) -> None:
        """Run the events that were accepted before this process started."""
        for backend in backends():
            for request_id in list(backend.pending_events):
                self._workers.submit(self._attempt, backend.region_name, request_id)

    def _attempt(self, region: str, request_id: str) -> None:
        if self._runtime.stopping.is_set():
            return
        try:
            self._run(region, request_id)
        except Exception:
            log.exception("asynchronous invocation %s", request_id)
            backend_of(region).pending_events.pop(request_id, None)

    def _run(self, region: str, request_id: str) -> None:
        backend = backend_of(region)
        event = backend.pending_events[request_id]
        settings: dict[str, Any] = {}
        if config := backend.invoke_configs.get((event["name"], event["qualifier"] or "$LATEST")):
            settings = config.config
        try:
            target = backend.resolve(event["name"], event["qualifier"])
            response = self._run_version(region, target, event["payload"], request_id)
        except TooManyRequestsException as error:
            never = target.latest.reserved_concurrency == 0
            if self._is_young(event, settings) and not never:
                return self._retry_later(THROTTLED_SECONDS, region, request_id)
            response = _throttled(request_id, str(target.function.version), error)
            self._conclude(target, event, response, settings, "RetriesExhausted" if never else AGED)
            backend.pending_events.pop(request_id, None)
            return
        except JsonRESTError as error:
            log.info("asynchronous invocation %s dropped: %s", request_id, error.message)
            backend.pending_events.pop(request_id, None)
            return
        event["attempts"] += 1
        retries = settings.get("MaximumRetryAttempts", len(RETRY_SECONDS))
        condition = "Success"
        if response.function_error:
            condition = "RetriesExhausted"
            if event["attempts"] <= retries:
                if self._is_young(event, settings):
                    return self._retry_later(RETRY_SECONDS[event["attempts"] - 1], region, request_id)
                condition = AGED
        self._conclude(target, event, response, settings, condition)
        backend.pending_events.pop(request_id, None)

    def _is_young(self, event: dict[str, Any], settings: dict[str, Any]) -> bool:
        age = (time.time() - event["accepted"]) * self._runtime.time_scale
        return bool(age < settings.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS))

    def _retry_later(self, seconds: float, region: str, request_id: str) -> None:
        timer = threading.Timer(
            seconds / self._runtime.time_scale,
            lambda: self._workers.submit(self._attempt, region, request_id),
        )
        timer.daemon = True
        timer.start()

    def _conclude(
        self,
        target: Target,
        event: dict[str, Any],
        response: InvokeResponse,
        settings: dict[str, Any],
        condition: str,
    ) -> None:
        """Send the record to the destination and, after a failure, the event to the dead-letter queue."""
        failed = condition != "Success"
        outcome = "OnFailure" if failed else "OnSuccess"
        destination = ((settings.get("DestinationConfig") or {}).get(outcome) or {}).get("Destination")
        if destination:
            record = json.dumps(_record(target, event, response, condition))
            self._deliver(target, destination, record, {})
        dead_letters = (target.function.echoed["DeadLetterConfig"] or {}).get("TargetArn")
        if failed and dead_letters:
            message = json.loads(response.payload).get("errorMessage", "")
            code = "200" if response.function_error else "429"
            attributes = {"RequestID": response.request_id, "ErrorCode": code, "ErrorMessage": message[:1024]}
            self._deliver(target, dead_letters, event["payload"].decode(), attributes)

    def _deliver(self, target: Target, arn: str, body: str, attributes: dict[str, str]) -> None:
        """Send as the function's role. As on AWS, a failure is logged and counted, not raised."""
        function = target.function
        service, region, name = arn.split(":")[2], arn.split(":")[3], arn.split(":")[-1]
        values = {
            key: {"DataType": "Number" if key == "ErrorCode" else "String", "StringValue": value}
            for key, value in attributes.items()
            if value
        }
        client = self._runtime.client(
            service,
            function.role,
            "lambda.amazonaws.com",
            region,
            function.function_name,
            function.unqualified_arn,
        )
        try:
            if service == "sqs":
                url = client.get_queue_url(QueueName=name)["QueueUrl"]
                client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=values)
            elif service == "sns":
                client.publish(TopicArn=arn, Message=body, MessageAttributes=values)
            else:
                client.invoke(FunctionName=arn, InvocationType="Event", Payload=body)
        except (ClientError, BotoCoreError) as error:
            log.warning("%s: no delivery to %s: %s", function.function_name, arn, error)
            resource = function.function_name
            metric = "DeadLetterErrors" if attributes else "DestinationDeliveryFailures"
            self._metrics.add(function.region, resource, resource, {metric: 1.0})


def _throttled(request_id: str, version: str, error: TooManyRequestsException) -> InvokeResponse:
    """Return the response of an event for which there was no concurrency."""
    payload = json.dumps({"errorMessage": error.message}).encode()
    return InvokeResponse(
        payload=payload, function_error="", executed_version=version, request_id=request_id, log_tail=b""
    )


def _record(
    target: Target, event: dict[str, Any], response: InvokeResponse, condition: str
) -> dict[str, Any]:
    """Return the invocation record that a destination gets.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    status = 200 if response.function_error or condition == "Success" else 429
    context: dict[str, Any] = {"statusCode": status, "executedVersion": response.executed_version}
    if response.function_error:
        context["functionError"] = response.function_error
    return {
        "version": "1.0",
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": response.request_id,
            "functionArn": f"{target.latest.unqualified_arn}:{target.qualifier or '$LATEST'}",
            "condition": condition,
            "approximateInvokeCount": event["attempts"],
        },
        "requestPayload": json.loads(event["payload"] or b"null"),
        "responseContext": context,
        "responsePayload": json.loads(response.payload or b"null"),
    }
