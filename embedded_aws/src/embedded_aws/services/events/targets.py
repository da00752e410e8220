"""Delivery by a service of AWS to a function, a topic, a queue or a log group."""

from __future__ import annotations

import json
import time
import uuid

from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.evaluate import decide
from embedded_aws.iam.principals import service
from embedded_aws.services.lambda_.backend import backend_of
from embedded_aws.services.lambda_.invoker import Invoker

INVOKE = "lambda:InvokeFunction"


class NotAuthorized(Exception):
    """A resource's policy does not allow the service."""


def to_function(arn: str, principal: str, source_arn: str, payload: str) -> None:
    """Invoke a function, a version or an alias asynchronously.

    principal: of the service, e.g. "events.amazonaws.com". source_arn: of the rule, alarm or topic.
    Raises NotAuthorized unless the function's resource policy allows it, UnknownFunctionException.
    """
    region = arn.split(":")[3]
    backend = backend_of(region)
    name, qualifier = backend.check_qualifier(arn, None)
    policy = backend.policies.get((name, qualifier or ""))
    context = {
        "aws:sourcearn": source_arn,
        "aws:sourceaccount": ACCOUNT_ID,
        "aws:securetransport": "true",
        "aws:requestedregion": region,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": policy.statements}) if policy else None
    decision = decide(service(principal), INVOKE, arn, context, document)
    if not decision.allowed:
        raise NotAuthorized(
            f"{principal} is not authorized to perform: {INVOKE} on resource: {arn} {decision.reason}"
        )
    backend.runtime.get(Invoker).submit(region, arn, None, payload.encode())  # type: ignore[type-abstract]


def to_topic(arn: str, message: str, subject: str | None = None) -> None:
    """Publish to a topic. Raises moto's SNSNotFoundError."""
    _, _, _, region, account, _ = arn.split(":")
    sns_backends[account][region].publish(message, arn=arn, subject=subject)


def to_queue(
    arn: str, message: str, group: str | None = None, attributes: dict[str, str] | None = None
) -> None:
    """Send to a queue. group: MessageGroupId for a FIFO queue. Raises moto's QueueDoesNotExist."""
    _, _, _, region, account, name = arn.split(":")
    values = {key: {"DataType": "String", "StringValue": value} for key, value in (attributes or {}).items()}
    sqs_backends[account][region].send_message(name, message, message_attributes=values, group_id=group)


def to_log_group(arn: str, message: str) -> None:
    """Write to a new log stream, as EventBridge does. Raises moto's ResourceNotFoundException."""
    _, _, _, region, account, _, group = arn.removesuffix(":*").split(":")
    stream, backend = str(uuid.uuid4()), logs_backends[account][region]
    backend.create_log_stream(group, stream)
    backend.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": message}])
