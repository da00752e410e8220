"""Asynchronous inference: input and results in S3, notifications through SNS."""

import json
import time
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from hosting_kit import LIST, READ, Hosting, variant

pytestmark = pytest.mark.slow

TOPIC = "arn:aws:sns:us-east-1:123456789012"
WRITE = [
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::hosting-models/async/*"},
    {"Effect": "Allow", "Action": "sns:Publish", "Resource": f"{TOPIC}:async-*"},
]


@pytest.fixture(scope="module")
def aws(fast_embedded_aws):
    """An asynchronous endpoint, on an embedded AWS whose minutes take a second."""
    running = Hosting(fast_embedded_aws)
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
    yield running
    running.delete_endpoints()


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


def notification(aws, queue: str) -> dict:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    [message] = aws.until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    return json.loads(json.loads(message["Body"])["Message"])


def test_result_is_written_to_s3_and_sns_is_notified(aws):
    request = ask(aws, b"picture", InferenceId="mine", ContentType="image/png")
    assert request["ResponseMetadata"]["HTTPStatusCode"] == 202 and request["InferenceId"] == "mine"
    answer = json.loads(aws.until(lambda: content(aws, request["OutputLocation"])))
    assert answer["size"] == 7 and answer["headers"]["content-type"] == "image/png"
    message = notification(aws, "async-done")
    assert (message["invocationStatus"], message["inferenceId"]) == ("Completed", "mine")
    assert message["responseParameters"]["outputLocation"] == request["OutputLocation"]


def test_failure_is_written_to_the_failure_location(aws):
    request = ask(aws, b"bad")
    assert aws.until(lambda: content(aws, request["FailureLocation"])) == b"not a picture"
    assert notification(aws, "async-failed")["failureReason"] == "not a picture"
    assert content(aws, request["OutputLocation"]) is None


def test_synchronous_requests_are_refused(aws):
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        aws.ask("queued")


def test_request_sets_its_timeout(aws):
    request = ask(aws, b"sleep4", InvocationTimeoutSeconds=1)
    text = aws.until(lambda: content(aws, request["FailureLocation"]))
    assert b"Your invocation timed out while waiting for a response from container primary" in text
    assert "timed out" in notification(aws, "async-failed")["failureReason"]
    for member, value, bound in (
        ("InvocationTimeoutSeconds", 3601, 3600),
        ("RequestTTLSeconds", 21_601, 21_600),
    ):
        message = f"Value '{value}' at .* failed to satisfy constraint: Member must have value less than or equal to {bound}"
        with pytest.raises(ClientError, match=message) as error:
            ask(aws, b"picture", **{member: value})
        assert error.value.response["Error"]["Code"] == "ValidationError"


@contextmanager
def no_instance(aws):
    """Scale the endpoint to 0 instances for the block, then to 1."""
    try:
        resize(aws, 0)
        yield
    finally:
        if count(aws) != 1:
            resize(aws, 1)


def resize(aws, instances: int) -> None:
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": instances}]
    aws.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="queued", DesiredWeightsAndCapacities=wanted
    )
    aws.stable("queued")
    assert count(aws) == instances


def count(aws) -> int:
    [described] = aws.stable("queued")["ProductionVariants"]
    return described["CurrentInstanceCount"]


def test_backlog_without_capacity_scales_out_from_zero(aws):
    scaling, cloudwatch = aws.client("application-autoscaling"), aws.client("cloudwatch")
    where = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/queued/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**where, MinCapacity=0, MaxCapacity=1)
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}
    policy = scaling.put_scaling_policy(
        **where,
        PolicyName="from-zero",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [step]},
    )["PolicyARN"]
    cloudwatch.put_metric_alarm(
        AlarmName="backlog-without-capacity",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=[{"Name": "EndpointName", "Value": "queued"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[policy],
    )
    with no_instance(aws):
        request = ask(aws, b"picture")
        answer = json.loads(aws.until(lambda: content(aws, request["OutputLocation"])))
        assert answer["size"] == 7 and count(aws) == 1
    scaling.deregister_scalable_target(**where)

    def endpoint_metric(name: str, statistic: str = "Maximum") -> float:
        return aws.metric("queued", name, statistic, VariantName="")

    assert endpoint_metric("HasBacklogWithoutCapacity") == 1
    assert endpoint_metric("HasBacklogWithoutCapacity", "Minimum") == 0
    assert endpoint_metric("ApproximateBacklogSize") >= 1
    assert endpoint_metric("ApproximateBacklogSizePerInstance") >= 1
    assert endpoint_metric("ApproximateAgeOfOldestRequest") > 0
    assert aws.metric("queued", "TimeInBacklog", "Maximum") > 1e6  # microseconds of service time
    assert aws.metric("queued", "InvocationsProcessed") > aws.metric("queued", "InvocationFailures") > 0
    assert aws.metric("queued", "Invocations") is None


def test_request_expires_after_its_ttl(aws):
    with no_instance(aws):
        request = ask(aws, b"picture", RequestTTLSeconds=60)
        time.sleep(1.1)  # more than 60 s of service time
    text = aws.until(lambda: content(aws, request["FailureLocation"]))
    assert text == b"The request waited longer than its RequestTTLSeconds, 60."
    assert aws.metric("queued", "ExpiredRequests") == 1


def test_only_asynchronous_endpoints_scale_to_zero(aws):
    aws.config("not-queued", variant("queued"))
    aws.endpoint("not-queued", "not-queued")
    scaling = aws.client("application-autoscaling")
    with pytest.raises(ClientError, match="at least 1: only asynchronous endpoints"):
        scaling.register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId="endpoint/not-queued/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=0,
            MaxCapacity=1,
        )
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}]
    with pytest.raises(ClientError, match="DesiredInstanceCount must be at least 1"):
        aws.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="not-queued", DesiredWeightsAndCapacities=wanted
        )


def test_queued_requests_survive_a_restart(aws):
    slow = [ask(aws, b"sleep0.7")["OutputLocation"] for _ in range(3)]
    aws.until(lambda: content(aws, slow[0]))
    assert content(aws, slow[2]) is None
    aws.restart()
    assert all(json.loads(aws.until(lambda at=at: content(aws, at)))["size"] == 8 for at in slow)
