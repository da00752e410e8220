"""Asynchronous inference of the embedded AWS: S3 in, S3 out, and the news of it."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.hosting_kit import LIST, READ, Hosting, variant

pytestmark = pytest.mark.slow

TOPIC = "arn:aws:sns:us-east-1:123456789012"
WRITE = [
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::hosting-models/async/*"},
    {"Effect": "Allow", "Action": "sns:Publish", "Resource": f"{TOPIC}:async-*"},
]


@pytest.fixture(scope="module")
def aws(fresh_embedded_aws):
    running = Hosting(fresh_embedded_aws)
    running.allow(READ, LIST, *WRITE)
    for name in ("async-done", "async-failed"):
        queue = running.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        topic = running.client("sns").create_topic(Name=name)["TopicArn"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:{queue.rpartition('/')[2]}"
        running.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    running.model("queued")
    output = {
        "S3OutputPath": "s3://hosting-models/async/out",
        "S3FailurePath": "s3://hosting-models/async/failed",
        "NotificationConfig": {"SuccessTopic": f"{TOPIC}:async-done", "ErrorTopic": f"{TOPIC}:async-failed"},
    }
    config = {"OutputConfig": output, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1}}
    running.config("queued", variant("queued"), AsyncInferenceConfig=config)
    described = running.endpoint("queued", "queued")
    assert described["AsyncInferenceConfig"]["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 1}
    return running


def ask(aws, body: bytes, **parameters) -> dict:
    aws.client("s3").put_object(Bucket="hosting-models", Key="inputs/one", Body=body)
    return aws.runtime.invoke_endpoint_async(
        EndpointName="queued", InputLocation="s3://hosting-models/inputs/one", **parameters
    )


def content(aws, location: str) -> bytes | None:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    s3 = aws.client("s3")
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def news(aws, queue: str) -> dict:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    [message] = aws.until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    return json.loads(json.loads(message["Body"])["Message"])


def test_an_answer_comes_to_s3_and_a_topic_hears_of_it(aws):
    asked = ask(aws, b"picture", InferenceId="mine", ContentType="image/png")
    assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202 and asked["InferenceId"] == "mine"
    answer = json.loads(aws.until(lambda: content(aws, asked["OutputLocation"])))
    assert answer["size"] == 7 and answer["headers"]["content-type"] == "image/png"
    told = news(aws, "async-done")
    assert (told["invocationStatus"], told["inferenceId"]) == ("Completed", "mine")
    assert told["responseParameters"]["outputLocation"] == asked["OutputLocation"]


def test_a_failure_comes_to_its_own_place(aws):
    asked = ask(aws, b"bad")
    assert aws.until(lambda: content(aws, asked["FailureLocation"])) == b"not a picture"
    assert news(aws, "async-failed")["failureReason"] == "not a picture"
    assert content(aws, asked["OutputLocation"]) is None


def test_synchronous_requests_are_refused(aws):
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        aws.ask("queued")


def test_requests_wait_their_turn_and_outlive_a_restart(aws):
    slow = [ask(aws, b"sleep0.7")["OutputLocation"] for _ in range(3)]
    aws.until(lambda: content(aws, slow[0]))
    assert content(aws, slow[2]) is None
    aws.aws.restart()
    assert all(json.loads(aws.until(lambda at=at: content(aws, at)))["size"] == 8 for at in slow)
