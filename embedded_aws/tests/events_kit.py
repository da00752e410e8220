"""What the tests of events and of alarm actions share: queues, rules, and a function that records its events."""

from __future__ import annotations

import json
import uuid
from typing import Any

from functions_kit import Functions

ACCOUNT = "123456789012"


def unique(prefix: str) -> str:
    """Return a unique name."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


class Queue:
    """An SQS queue that keeps what it has received."""

    def __init__(self, aws: Any) -> None:
        self.sqs, self.name = aws.client("sqs"), unique("queue")
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name}"
        self._received: list[dict[str, Any]] = []

    def received(self) -> list[dict[str, Any]]:
        """Receive messages. Returns all messages so far."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        self._received += answer.get("Messages", [])
        return self._received

    @property
    def messages(self) -> list[Any]:
        """The parsed bodies of all messages so far."""
        return [json.loads(message["Body"]) for message in self.received()]


class RecordingFunction:
    """A function without effect whose events Lambda sends to a queue, as its OnSuccess destination."""

    def __init__(self, aws: Any) -> None:
        functions, self.queue = Functions(aws), Queue(aws)
        self.client = functions.client
        actions = ["sqs:SendMessage", "sqs:GetQueueUrl"]
        self.name = functions.create("def handler(event, context):\n    return None\n", actions)
        self.arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{self.name}"
        self.client.put_function_event_invoke_config(
            FunctionName=self.name, DestinationConfig={"OnSuccess": {"Destination": self.queue.arn}}
        )

    def allow(self, principal: str, source_arn: str) -> None:
        """Allow a service to invoke the function for a resource."""
        self.client.add_permission(
            FunctionName=self.name,
            StatementId=unique("allow"),
            Action="lambda:InvokeFunction",
            Principal=principal,
            SourceArn=source_arn,
        )

    @property
    def events(self) -> list[Any]:
        """The events of all invocations so far."""
        return [record["requestPayload"] for record in self.queue.messages]


class Rule:
    """A rule on the default bus with its targets."""

    def __init__(self, aws: Any, when: dict[str, Any] | str, *targets: dict[str, Any]) -> None:
        """when: an event pattern, or a schedule expression."""
        self.client, self.name = aws.client("events"), unique("rule")
        trigger = (
            {"ScheduleExpression": when} if isinstance(when, str) else {"EventPattern": json.dumps(when)}
        )
        self.arn = self.client.put_rule(Name=self.name, **trigger)["RuleArn"]
        self.targets = [{"Id": f"t{number}", **target} for number, target in enumerate(targets)]
        if self.targets:
            self.client.put_targets(Rule=self.name, Targets=self.targets)

    def delete(self) -> None:
        """Delete the rule and its targets."""
        if self.targets:
            self.client.remove_targets(Rule=self.name, Ids=[target["Id"] for target in self.targets])
        self.client.delete_rule(Name=self.name)
