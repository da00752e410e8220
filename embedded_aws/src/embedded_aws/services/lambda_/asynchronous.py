"""Asynchronous invocation: accepted at once, run later, retried, and told of to a destination."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import JsonRESTError

from embedded_aws.services.lambda_.exceptions import TooManyRequestsException

if TYPE_CHECKING:
    from embedded_aws.services.lambda_.backend import Target
    from embedded_aws.services.lambda_.service import Answer, LambdaService

log = logging.getLogger(__name__)

RETRY_SECONDS = (60.0, 120.0)
THROTTLED_SECONDS = 1.0
MAX_AGE_SECONDS = 21600
AGED = "EventAgeExceeded"
WORKERS = 8


class Events:
    """Accepted events are part of the backend's state until they are done, so that a restart goes on with them."""

    def __init__(self, service: LambdaService) -> None:
        self._service = service
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="lambda-events")

    def submit(self, region: str, name: str, qualifier: str | None, payload: bytes) -> str:
        """Accept an event. Returns its request id."""
        request_id = str(uuid.uuid4())
        self._service.backend(region).pending_events[request_id] = {
            "name": name,
            "qualifier": qualifier,
            "payload": payload,
            "accepted": time.time(),
            "attempts": 0,
        }
        self._workers.submit(self._attempt, region, request_id)
        return request_id

    def resume(self) -> None:
        """Go on with what had been accepted before this process was started."""
        for backend in self._service.backends():
            for request_id in list(backend.pending_events):
                self._workers.submit(self._attempt, backend.region_name, request_id)

    def _attempt(self, region: str, request_id: str) -> None:
        if self._service.runtime.stopping.is_set():
            return
        try:
            self._run(region, request_id)
        except Exception:
            log.exception("asynchronous invocation %s", request_id)
            self._service.backend(region).pending_events.pop(request_id, None)

    def _run(self, region: str, request_id: str) -> None:
        backend = self._service.backend(region)
        event = backend.pending_events[request_id]
        settings: dict[str, Any] = {}
        if config := backend.invoke_configs.get((event["name"], event["qualifier"] or "$LATEST")):
            settings = config.config
        try:
            target = backend.resolve(event["name"], event["qualifier"])
            answer = self._service.run(region, target, event["payload"], request_id)
        except TooManyRequestsException as error:
            never = target.latest.reserved_concurrency == 0
            if self._young(event, settings) and not never:
                return self._later(THROTTLED_SECONDS, region, request_id)
            answer = _throttled(request_id, str(target.function.version), error)
            self._conclude(target, event, answer, settings, "RetriesExhausted" if never else AGED)
            backend.pending_events.pop(request_id, None)
            return
        except JsonRESTError as error:
            log.info("asynchronous invocation %s dropped: %s", request_id, error.message)
            backend.pending_events.pop(request_id, None)
            return
        event["attempts"] += 1
        retries = settings.get("MaximumRetryAttempts", len(RETRY_SECONDS))
        condition = "Success"
        if answer.function_error:
            condition = "RetriesExhausted"
            if event["attempts"] <= retries:
                if self._young(event, settings):
                    return self._later(RETRY_SECONDS[event["attempts"] - 1], region, request_id)
                condition = AGED
        self._conclude(target, event, answer, settings, condition)
        backend.pending_events.pop(request_id, None)

    def _young(self, event: dict[str, Any], settings: dict[str, Any]) -> bool:
        age = (time.time() - event["accepted"]) * self._service.runtime.time_scale
        return age < settings.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS)

    def _later(self, seconds: float, region: str, request_id: str) -> None:
        timer = threading.Timer(
            seconds / self._service.runtime.time_scale,
            lambda: self._workers.submit(self._attempt, region, request_id),
        )
        timer.daemon = True
        timer.start()

    def _conclude(
        self, target: Target, event: dict[str, Any], answer: Answer, settings: dict[str, Any], condition: str
    ) -> None:
        failed = condition != "Success"
        outcome = "OnFailure" if failed else "OnSuccess"
        wanted = ((settings.get("DestinationConfig") or {}).get(outcome) or {}).get("Destination")
        if wanted:
            self._deliver(target, wanted, json.dumps(_record(target, event, answer, condition)), {})
        dead_letters = (target.function.echoed["DeadLetterConfig"] or {}).get("TargetArn")
        if failed and dead_letters:
            message = json.loads(answer.payload).get("errorMessage", "")
            code = "200" if answer.function_error else "429"
            attributes = {"RequestID": answer.request_id, "ErrorCode": code, "ErrorMessage": message[:1024]}
            self._deliver(target, dead_letters, event["payload"].decode(), attributes)

    def _deliver(self, target: Target, arn: str, body: str, attributes: dict[str, str]) -> None:
        """Send as the function's role. Failing is the operator's to see in the log: AWS counts a metric."""
        function = target.function
        service, region, name = arn.split(":")[2], arn.split(":")[3], arn.split(":")[-1]
        values = {
            name: {"DataType": "Number" if name == "ErrorCode" else "String", "StringValue": value}
            for name, value in attributes.items()
            if value
        }
        client = self._service.runtime.client(
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
            log.warning("%s could not be told of %s: %s", arn, function.function_name, error)
            resource = function.function_name
            metric = "DeadLetterErrors" if attributes else "DestinationDeliveryFailures"
            self._service.metrics.add(function.region, resource, resource, {metric: 1.0})


def _throttled(request_id: str, version: str, error: TooManyRequestsException) -> Answer:
    """In place of an answer, for an event that found no free concurrency."""
    from embedded_aws.services.lambda_.service import Answer

    payload = json.dumps({"errorMessage": error.message}).encode()
    return Answer(
        payload=payload, function_error="", executed_version=version, request_id=request_id, log_tail=b""
    )


def _record(target: Target, event: dict[str, Any], answer: Answer, condition: str) -> dict[str, Any]:
    """AWS's record of an asynchronous invocation, for a destination."""
    status = 200 if answer.function_error or condition == "Success" else 429
    context = {"statusCode": status, "executedVersion": answer.executed_version}
    return {
        "version": "1.0",
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": answer.request_id,
            "functionArn": f"{target.latest.unqualified_arn}:{target.qualifier or '$LATEST'}",
            "condition": condition,
            "approximateInvokeCount": event["attempts"],
        },
        "requestPayload": json.loads(event["payload"] or b"null"),
        "responseContext": context
        | ({"functionError": answer.function_error} if answer.function_error else {}),
        "responsePayload": json.loads(answer.payload or b"null"),
    }
