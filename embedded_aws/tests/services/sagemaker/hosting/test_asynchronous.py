"""Asynchronous inference of the embedded AWS: S3 in, S3 out, and the news of it."""

import json
import time
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from embedded_aws import client as daemon
from embedded_aws.pytest_plugin import EmbeddedAws, free_port
from hosting_kit import LIST, READ, Hosting, variant

pytestmark = pytest.mark.slow

TOPIC = "arn:aws:sns:us-east-1:123456789012"
WRITE = [
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::hosting-models/async/*"},
    {"Effect": "Allow", "Action": "sns:Publish", "Resource": f"{TOPIC}:async-*"},
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """An embedded AWS whose minutes take a second, with one asynchronous endpoint."""
    home = tmp_path_factory.mktemp("async-aws")
    try:
        yield prepared(Hosting(EmbeddedAws(home, free_port(), 60)))
    finally:
        daemon.destroy(home)


def prepared(running: Hosting) -> Hosting:
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


def test_result_is_written_to_s3_and_sns_is_notified(aws):
    asked = ask(aws, b"picture", InferenceId="mine", ContentType="image/png")
    assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202 and asked["InferenceId"] == "mine"
    answer = json.loads(aws.until(lambda: content(aws, asked["OutputLocation"])))
    assert answer["size"] == 7 and answer["headers"]["content-type"] == "image/png"
    told = news(aws, "async-done")
    assert (told["invocationStatus"], told["inferenceId"]) == ("Completed", "mine")
    assert told["responseParameters"]["outputLocation"] == asked["OutputLocation"]


def test_failure_is_written_to_the_failure_location(aws):
    asked = ask(aws, b"bad")
    assert aws.until(lambda: content(aws, asked["FailureLocation"])) == b"not a picture"
    assert news(aws, "async-failed")["failureReason"] == "not a picture"
    assert content(aws, asked["OutputLocation"]) is None


def test_synchronous_requests_are_refused(aws):
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        aws.ask("queued")


def test_request_sets_its_timeout(aws):
    asked = ask(aws, b"sleep4", InvocationTimeoutSeconds=1)
    text = aws.until(lambda: content(aws, asked["FailureLocation"]))
    assert b"Your invocation timed out while waiting for a response from container primary" in text
    assert "timed out" in news(aws, "async-failed")["failureReason"]
    for member, value, bounds in (
        ("InvocationTimeoutSeconds", 3601, "between 1 and 3600"),
        ("RequestTTLSeconds", 21_601, "between 60 and 21600"),
    ):
        with pytest.raises(ClientError, match=f"{member} must be {bounds} seconds, not {value}") as error:
            ask(aws, b"picture", **{member: value})
        assert error.value.response["Error"]["Code"] == "ValidationError"


@contextmanager
def no_instance(aws):
    """No instance while this lasts, then one."""
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
        asked = ask(aws, b"picture")
        answer = json.loads(aws.until(lambda: content(aws, asked["OutputLocation"])))
        assert answer["size"] == 7 and count(aws) == 1
    scaling.deregister_scalable_target(**where)

    def of_the_endpoint(metric: str, statistic: str = "Maximum") -> float:
        return aws.metric("queued", metric, statistic, VariantName="")

    assert of_the_endpoint("HasBacklogWithoutCapacity") == 1
    assert of_the_endpoint("HasBacklogWithoutCapacity", "Minimum") == 0
    assert of_the_endpoint("ApproximateBacklogSize") >= 1
    assert of_the_endpoint("ApproximateBacklogSizePerInstance") >= 1
    assert of_the_endpoint("ApproximateAgeOfOldestRequest") > 0
    assert aws.metric("queued", "TimeInBacklog", "Maximum") > 1e6  # microseconds of the service
    assert aws.metric("queued", "InvocationsProcessed") > aws.metric("queued", "InvocationFailures") > 0
    assert aws.metric("queued", "Invocations") is None


def test_request_expires_after_its_ttl(aws):
    with no_instance(aws):
        asked = ask(aws, b"picture", RequestTTLSeconds=60)
        time.sleep(1.1)  # more than 60 s of the service
    text = aws.until(lambda: content(aws, asked["FailureLocation"]))
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
    aws.sagemaker.delete_endpoint(EndpointName="not-queued")


def test_queued_requests_survive_a_restart(aws):
    slow = [ask(aws, b"sleep0.7")["OutputLocation"] for _ in range(3)]
    aws.until(lambda: content(aws, slow[0]))
    assert content(aws, slow[2]) is None
    aws.aws.restart()
    assert all(json.loads(aws.until(lambda at=at: content(aws, at)))["size"] == 8 for at in slow)
