"""Asynchronous invocation: retries, destinations and dead letters."""

from __future__ import annotations

import json
import uuid

from functions_kit import LOGS, Functions


def queue(sqs) -> tuple[str, str]:
    """Return URL and ARN of a new queue."""
    url = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive_two(sqs, url: str, until) -> list[dict]:
    """Wait for two messages: a destination's record and a dead letter."""
    received: list[dict] = []

    def two() -> bool:
        found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", [])
        received.extend(found)
        return len(received) == 2

    until(two)
    return received


def test_failed_event_is_retried_twice_and_then_sent_to_its_destinations(fast_embedded_aws, until):
    functions, sqs = Functions(fast_embedded_aws), fast_embedded_aws.client("sqs")
    url, arn = queue(sqs)
    role = functions.role([*LOGS, "sqs:SendMessage", "sqs:GetQueueUrl"])
    source = "def handler(e, c):\n    print('attempt')\n    raise ValueError('never')"
    name = functions.create(source, Role=role, DeadLetterConfig={"TargetArn": arn})
    functions.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    answer = functions.client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    received = receive_two(sqs, url, until)
    record = next(json.loads(m["Body"]) for m in received if "requestContext" in m["Body"])
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorMessage"] == "never"
    letter = next(m for m in received if "requestContext" not in m["Body"])
    assert json.loads(letter["Body"]) == {"n": 1}
    attributes = letter["MessageAttributes"]
    assert attributes["ErrorMessage"]["StringValue"] == "never"
    assert (attributes["ErrorCode"]["StringValue"], attributes["ErrorCode"]["DataType"]) == ("200", "Number")
    assert attributes["RequestID"]["StringValue"] == answer["ResponseMetadata"]["RequestId"]


def test_event_of_a_function_without_concurrency_becomes_a_dead_letter(embedded_aws, until):
    functions, sqs = Functions(embedded_aws), embedded_aws.client("sqs")
    url, arn = queue(sqs)
    role = functions.role([*LOGS, "sqs:SendMessage", "sqs:GetQueueUrl"])
    name = functions.create(Role=role, DeadLetterConfig={"TargetArn": arn})
    functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    functions.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    functions.client.invoke(FunctionName=name, InvocationType="Event", Payload=b"1")
    received = receive_two(sqs, url, until)
    record = next(json.loads(m["Body"]) for m in received if "requestContext" in m["Body"])
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["responseContext"]["statusCode"] == 429
    letter = next(m for m in received if "requestContext" not in m["Body"])
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


def test_event_that_waits_too_long_for_concurrency_expires(fast_embedded_aws, until):
    functions, sqs = Functions(fast_embedded_aws), fast_embedded_aws.client("sqs")
    url, arn = queue(sqs)
    role = functions.role([*LOGS, "sqs:SendMessage", "sqs:GetQueueUrl"])
    source = "import time\ndef handler(e, c): time.sleep(e)"
    name = functions.create(source, Role=role, DeadLetterConfig={"TargetArn": arn}, Timeout=20)
    functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    settings = {"MaximumEventAgeInSeconds": 60, "DestinationConfig": {"OnFailure": {"Destination": arn}}}
    functions.client.put_function_event_invoke_config(FunctionName=name, **settings)
    for _ in range(2):  # the second waits for the first, which sleeps for three minutes of the service
        functions.client.invoke(FunctionName=name, InvocationType="Event", Payload=b"3")
    received = receive_two(sqs, url, until)
    record = next(json.loads(m["Body"]) for m in received if "requestContext" in m["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
