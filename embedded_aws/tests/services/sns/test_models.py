"""Subscriptions of topics on the running embedded AWS: functions and HTTP endpoints."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from events_kit import ACCOUNT, RecordingFunction, unique


@pytest.fixture(scope="module")
def recorder(embedded_aws):
    return RecordingFunction(embedded_aws)


def test_topic_invokes_a_function_that_allows_it(embedded_aws, recorder, until):
    sns = embedded_aws.client("sns")
    allowed, refused = (sns.create_topic(Name=unique("topic"))["TopicArn"] for _ in range(2))
    for topic in (refused, allowed):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=recorder.arn)
    recorder.allow("sns.amazonaws.com", allowed)
    attributes = {"kind": {"DataType": "String", "StringValue": "drill"}}
    sns.publish(TopicArn=refused, Message="no")
    published = sns.publish(TopicArn=allowed, Message="yes", Subject="s", MessageAttributes=attributes)

    def records() -> list[dict]:
        return [e["Records"][0] for e in recorder.events if "Records" in e]

    (record,) = until(records)
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("yes", "s")
    assert record["EventSource"] == "aws:sns" and record["Sns"]["TopicArn"] == allowed
    assert record["Sns"]["MessageId"] == published["MessageId"]
    assert record["Sns"]["MessageAttributes"] == {"kind": {"Type": "String", "Value": "drill"}}
    assert record["EventSubscriptionArn"].startswith(f"{allowed}:")


def test_topic_posts_to_this_machine_despite_failing_subscribers(embedded_aws, until):
    posted: list[tuple[Any, dict]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        sns = embedded_aws.client("sns")
        topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
        missing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{unique('missing')}"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=missing)
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://hooks.example.com/alarms")
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{server.server_port}/here")
        sns.publish(TopicArn=topic, Message="hello")
        ((headers, body),) = until(lambda: posted)
    finally:
        server.shutdown()
        server.server_close()
    assert (body["Message"], body["TopicArn"]) == ("hello", topic)
    assert headers["x-amz-sns-message-type"] == "Notification" and headers["x-amz-sns-topic-arn"] == topic
