"""Invocations of an endpoint: request, response, errors, logs, metrics."""

from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from embedded_aws.child_environment import NO_AWS_FILES
from hosting_kit import IMAGE, ROLE, Hosting, refused, variant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("invoked")
    running.config("invoked", variant("invoked"))
    running.endpoint("invoked", "invoked")
    yield running
    running.delete_endpoints()


def test_body_and_headers_reach_the_application_unchanged(aws):
    answer = aws.ask(
        "invoked",
        bytes(range(256)),
        ContentType="image/png",
        Accept="application/json",
        CustomAttributes="top_k=3",
    )
    assert answer["size"] == 256 and answer["variant"] == "AllTraffic"
    assert answer["headers"]["content-type"] == "image/png"
    assert answer["headers"]["x-amzn-sagemaker-custom-attributes"] == "top_k=3"


def test_network_isolation_removes_credentials(aws):
    harmless = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", *NO_AWS_FILES}
    assert set(aws.ask("invoked")["aws"]) == harmless


def test_container_has_credentials_without_network_isolation(aws):
    container = {
        "Image": IMAGE,
        "ModelDataUrl": "s3://hosting-models/model.tar.gz",
        "Environment": {"SM_RAYSERVE_APP": "app:app"},
    }
    aws.sagemaker.create_model(ModelName="open", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    aws.config("open", variant("open"))
    aws.endpoint("open", "open")
    assert {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_REGION"} <= set(aws.ask("open")["aws"])


def test_container_logs_go_to_cloudwatch(aws):
    logs = aws.client("logs")
    group = "/aws/sagemaker/Endpoints/invoked"
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert stream["logStreamName"].startswith("AllTraffic/i-")
    assert "loaded the model" in [event["message"] for event in events]


def test_error_of_the_application_is_a_model_error(aws):
    with pytest.raises(ClientError) as error:
        aws.ask("invoked", b"bad")
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (400, "not a picture")
    assert ":log-stream:AllTraffic/i-" in response["LogStreamArn"]


def test_request_above_6_mib_is_refused(aws):
    with pytest.raises(ClientError) as error:
        aws.ask("invoked", b"x" * 6_291_457)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert aws.ask("invoked", b"x" * 6_291_456)["size"] == 6_291_456


def test_unknown_endpoint_and_variant_are_refused(aws):
    assert refused(aws.ask, name="absent") == (
        "ValidationError",
        "Endpoint absent of account 123456789012 not found.",
    )
    assert refused(aws.ask, name="invoked", TargetVariant="absent")[0] == "ValidationError"


def test_invocations_are_recorded_in_cloudwatch(aws):
    aws.config("counted", variant("invoked", count=2))
    aws.endpoint("counted", "counted")
    for _ in range(6):
        aws.ask("counted")
    with pytest.raises(ClientError):
        aws.ask("counted", b"bad")
    cloudwatch, now = aws.client("cloudwatch"), datetime.now(timezone.utc)

    def total(metric: str, statistic: str = "Sum", **dimensions: str) -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": "counted"},
                {"Name": "VariantName", "Value": "AllTraffic"},
                *({"Name": name, "Value": value} for name, value in dimensions.items()),
            ],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=[statistic],
        )["Datapoints"]
        return sum(point[statistic] for point in points)

    assert (total("Invocations"), total("InvocationsPerInstance")) == (7, 3.5)
    assert (total("Invocation4XXErrors"), total("Invocation5XXErrors")) == (1, 0)
    assert total("Invocation4XXErrors", EndpointConfigName="counted") == 1
    assert total("Invocations", EndpointConfigName="other") == 0
    assert 0 < total("ModelLatency", "Average") < 60e6
