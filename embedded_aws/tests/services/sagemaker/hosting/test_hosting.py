"""Models, endpoint configurations and endpoints of the embedded AWS, through boto3 against the running server."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from hosting_kit import IMAGE, LIST, READ, ROLE, Hosting, variant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("model")
    running.config("one", variant("model"))
    running.endpoint("serving", "one")
    return running


def refused(call, **request) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**request)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# Models


def test_a_model_is_described_as_it_was_asked_for(aws):
    described = aws.sagemaker.describe_model(ModelName="model")
    assert described["PrimaryContainer"]["ModelDataUrl"] == "s3://hosting-models/model.tar.gz"
    assert described["EnableNetworkIsolation"] is True
    assert not {"VpcConfig", "Containers"} & described.keys()


def test_a_model_of_a_name_in_use_is_refused(aws):
    with pytest.raises(
        ClientError, match=r'Cannot create already existing model "arn:aws:sagemaker:.*:model/model"'
    ):
        aws.model("model")


def test_missing_model_data_is_found_when_the_model_is_created(aws):
    with pytest.raises(ClientError, match="Could not find model data at s3://hosting-models/absent"):
        aws.model("no-data", url="s3://hosting-models/absent")


def test_a_role_that_may_not_read_is_found_when_the_model_is_created(aws):
    aws.allow(LIST)
    try:
        with pytest.raises(ClientError, match="Could not access model data at s3://hosting-models/model"):
            aws.model("no-permission")
    finally:
        aws.allow(READ, LIST)


def test_models_are_listed_and_deleted(aws):
    aws.model("listed-1")
    aws.model("listed-2")
    listed = aws.sagemaker.list_models(NameContains="listed", SortBy="Name", SortOrder="Ascending")["Models"]
    assert [m["ModelName"] for m in listed] == ["listed-1", "listed-2"]
    aws.sagemaker.delete_model(ModelName="listed-1")
    assert refused(aws.sagemaker.describe_model, ModelName="listed-1") == (
        "ValidationException",
        'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/listed-1".',
    )


def test_lists_come_in_pages(aws):
    pages = aws.sagemaker.get_paginator("list_endpoint_configs").paginate(PaginationConfig={"PageSize": 1})
    aws.config("paged", variant("model"))
    names = [c["EndpointConfigName"] for page in pages for c in page["EndpointConfigs"]]
    assert {"one", "paged"} <= set(names) and len(names) == len(set(names))


# Configurations


def test_a_configuration_is_described_as_it_was_asked_for(aws):
    described = aws.sagemaker.describe_endpoint_config(EndpointConfigName="one")
    assert described["ProductionVariants"] == [variant("model")]
    assert not {"DataCaptureConfig", "AsyncInferenceConfig", "KmsKeyId"} & described.keys()


@pytest.mark.parametrize(
    "variants, settings, message",
    [
        (
            [variant("model", kind="ml.unknown.large")],
            {},
            "productionVariants.1.member.instanceType.*enum value set",
        ),
        ([variant("absent")], {}, "Could not find model"),
        ([variant("model"), variant("model")], {}, "names must be unique"),
        ([variant("model", kind="ml.g5.xlarge")], {"KmsKeyId": "alias/key"}, "KmsKeyId.*ml.g5.xlarge"),
        ([variant("model", kind="ml.m5d.xlarge")], {"KmsKeyId": "alias/key"}, "local instance storage"),
        ([variant("model", "x" * 64)], {}, "less than or equal to 63"),
    ],
)
def test_configurations_that_cannot_be_are_refused(aws, variants, settings, message):
    with pytest.raises(ClientError, match=message) as error:
        aws.config("refused", *variants, **settings)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        aws.sagemaker.describe_endpoint_config(EndpointConfigName="refused")


def test_a_key_is_taken_for_types_without_local_storage(aws):
    aws.config("with-key", variant("model"), KmsKeyId="alias/key")
    assert aws.sagemaker.describe_endpoint_config(EndpointConfigName="with-key")["KmsKeyId"] == "alias/key"


# Endpoints


def test_an_endpoint_tells_what_serves(aws):
    described = aws.sagemaker.describe_endpoint(EndpointName="serving")
    [serving] = described["ProductionVariants"]
    assert described["EndpointStatus"] == "InService"
    assert (serving["CurrentInstanceCount"], serving["DesiredInstanceCount"]) == (1, 1)
    assert serving["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert not {"FailureReason", "DataCaptureConfig", "LastDeploymentConfig"} & described.keys()


def test_bodies_and_headers_reach_the_application_unchanged(aws):
    answer = aws.ask(
        "serving",
        bytes(range(256)),
        ContentType="image/png",
        Accept="application/json",
        CustomAttributes="top_k=3",
    )
    assert answer["size"] == 256 and answer["variant"] == "AllTraffic"
    assert answer["headers"]["content-type"] == "image/png"
    assert answer["headers"]["x-amzn-sagemaker-custom-attributes"] == "top_k=3"


def test_network_isolation_means_no_credentials(aws):
    assert aws.ask("serving")["aws"] == []


def test_without_isolation_the_container_has_the_roles_credentials(aws):
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
    group = "/aws/sagemaker/Endpoints/serving"
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert stream["logStreamName"].startswith("AllTraffic/i-")
    assert "loaded the model" in [event["message"] for event in events]


def test_an_error_of_the_model_is_a_model_error(aws):
    with pytest.raises(ClientError) as error:
        aws.ask("serving", b"bad")
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (400, "not a picture")
    assert ":log-stream:AllTraffic/i-" in response["LogStreamArn"]


def test_requests_that_are_too_large_are_refused(aws):
    with pytest.raises(ClientError) as error:
        aws.ask("serving", b"x" * 6_291_457)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert aws.ask("serving", b"x" * 6_291_456)["size"] == 6_291_456


def test_unknown_endpoints_and_variants_are_refused(aws):
    assert refused(aws.ask, name="absent") == (
        "ValidationError",
        "Endpoint absent of account 123456789012 not found.",
    )
    assert refused(aws.ask, name="serving", TargetVariant="absent")[0] == "ValidationError"


def test_a_name_in_use_is_refused(aws):
    assert (
        "Cannot create already existing endpoint"
        in refused(aws.sagemaker.create_endpoint, EndpointName="serving", EndpointConfigName="one")[1]
    )


@pytest.mark.parametrize(
    "name, image, files, reason",
    [
        (
            "image",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1",
            {},
            "cannot run on the embedded AWS",
        ),
        ("crash", IMAGE, {"code/app.py": "raise SystemExit('no')"}, "did not pass the ping health check"),
        (
            "wants",
            IMAGE,
            {"code/app.py": "", "code/requirements.txt": "# comment\nno-such-package==1"},
            "requirements.txt requires no-such-package==1",
        ),
    ],
)
def test_an_endpoint_that_cannot_start_fails_and_says_why(aws, name, image, files, reason):
    aws.model(f"fails-{name}", aws.put(f"{name}.tar.gz", files), image)
    aws.config(f"fails-{name}", variant(f"fails-{name}"))
    described = aws.endpoint(f"fails-{name}", f"fails-{name}")
    assert described["EndpointStatus"] == "Failed" and reason in described["FailureReason"]
    aws.sagemaker.delete_endpoint(EndpointName=f"fails-{name}")


def test_permission_lost_between_model_and_endpoint_fails_the_endpoint(aws):
    aws.model("lost")
    aws.config("lost", variant("lost"))
    aws.allow(LIST)
    try:
        described = aws.endpoint("lost", "lost")
    finally:
        aws.allow(READ, LIST)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].startswith('Failed to download model data for container "container_1"')


def test_archives_cannot_write_outside_their_folder(aws):
    aws.model("escape", aws.put("escape.tar.gz", {"../outside.py": "", "code/app.py": ""}))
    aws.config("escape", variant("escape"))
    described = aws.endpoint("escape", "escape")
    assert "Failed to extract model data archive" in described["FailureReason"]


def test_variants_share_requests_by_weight_and_are_reached_by_name(aws):
    aws.model("a", VERSION="a")
    aws.model("b", VERSION="b")
    aws.config("both", variant("a", "A", weight=1), variant("b", "B", weight=0))
    aws.endpoint("both", "both")
    assert {aws.ask("both")["variant"] for _ in range(20)} == {"A"}
    assert aws.ask("both", TargetVariant="B")["version"] == "b"
    aws.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="both",
        DesiredWeightsAndCapacities=[
            {"VariantName": "A", "DesiredWeight": 0},
            {"VariantName": "B", "DesiredWeight": 1, "DesiredInstanceCount": 2},
        ],
    )
    described = {v["VariantName"]: v for v in aws.settled("both")["ProductionVariants"]}
    assert (described["B"]["CurrentInstanceCount"], described["B"]["CurrentWeight"]) == (2, 1)
    assert {aws.ask("both")["variant"] for _ in range(20)} == {"B"}
    assert len({aws.ask("both")["pid"] for _ in range(40)}) == 2


def test_a_dead_instance_is_routed_around_and_restarted(aws):
    aws.config("pair", variant("model", count=2))
    aws.endpoint("pair", "pair")
    victim = aws.ask("pair")["pid"]
    os.kill(victim, signal.SIGKILL)
    aws.until(lambda: not lives(victim))
    pids = {aws.ask("pair")["pid"] for _ in range(20)}
    assert victim not in pids

    def both_serve():
        return len({aws.ask("pair")["pid"] for _ in range(20)}) == 2

    aws.until(both_serve)


def test_an_update_under_load_fails_no_request(aws):
    aws.model("v1", VERSION="1")
    aws.model("v2", VERSION="2")
    aws.config("v1", variant("v1"))
    aws.config("v2", variant("v2"))
    aws.endpoint("updated", "v1")
    assert aws.ask("updated")["version"] == "1"
    aws.sagemaker.update_endpoint(EndpointName="updated", EndpointConfigName="v2")
    during = aws.sagemaker.describe_endpoint(EndpointName="updated")
    assert (during["EndpointStatus"], during["EndpointConfigName"]) == ("Updating", "v1")
    assert during["PendingDeploymentSummary"]["EndpointConfigName"] == "v2"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        aws.sagemaker.update_endpoint(EndpointName="updated", EndpointConfigName="v1")
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: aws.ask("updated", b"sleep0.02")["version"], range(200)))
    assert aws.settled("updated")["EndpointConfigName"] == "v2"
    assert versions[0] == "1" and aws.ask("updated")["version"] == "2"


def test_an_update_that_does_not_come_up_leaves_the_old_configuration_serving(aws):
    aws.model("crashes", aws.put("crashes.tar.gz", {"code/app.py": "raise SystemExit(1)"}))
    aws.config("crashes", variant("crashes"))
    aws.config("stays", variant("model"))
    aws.endpoint("rolled-back", "stays")
    aws.sagemaker.update_endpoint(EndpointName="rolled-back", EndpointConfigName="crashes")
    described = aws.settled("rolled-back")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "stays")
    assert "did not pass the ping health check" in described["FailureReason"]
    assert aws.ask("rolled-back")["size"] == 7


def test_an_alarm_rolls_an_update_back(aws):
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    aws.config("before", variant("model"))
    aws.config("after", variant("model"))
    aws.endpoint("canary", "before")
    config = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "WaitIntervalInSeconds": 60,
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
            }
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }
    aws.sagemaker.update_endpoint(EndpointName="canary", EndpointConfigName="after", DeploymentConfig=config)
    aws.until(lambda: len({aws.ask("canary")["folder"] for _ in range(10)}) == 2)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    described = aws.settled("canary")
    assert described["EndpointConfigName"] == "before" and "errors" in described["FailureReason"]
    assert described["LastDeploymentConfig"] == config


def test_a_deleted_endpoint_leaves_nothing_running(aws):
    aws.config("short", variant("model"))
    aws.endpoint("short", "short")
    pid = aws.ask("short")["pid"]
    assert lives(pid)
    aws.sagemaker.delete_endpoint(EndpointName="short")

    def gone():
        try:
            aws.sagemaker.describe_endpoint(EndpointName="short")
        except ClientError as error:
            return "Could not find endpoint" in str(error)
        return False

    aws.until(gone)
    assert not lives(pid)
    assert refused(aws.ask, name="short")[0] == "ValidationError"


def test_tags_of_hosting_resources(aws):
    arn = aws.sagemaker.describe_endpoint(EndpointName="serving")["EndpointArn"]
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "Owner", "Value": "me"}])
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "Owner", "Value": "you"}])
    assert aws.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "Owner", "Value": "you"}]
    aws.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["Owner"])
    assert aws.sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    assert refused(aws.sagemaker.list_tags, ResourceArn=f"{arn}-absent")[0] == "ResourceNotFound"


def test_invocations_are_counted_in_cloudwatch(aws):
    from datetime import datetime, timedelta, timezone

    aws.config("counted", variant("model", count=2))
    aws.endpoint("counted", "counted")
    for _ in range(6):
        aws.ask("counted")
    with pytest.raises(ClientError):
        aws.ask("counted", b"bad")
    cloudwatch, now = aws.client("cloudwatch"), datetime.now(timezone.utc)

    def total(metric: str, statistic: str = "Sum") -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": "counted"},
                {"Name": "VariantName", "Value": "AllTraffic"},
            ],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=[statistic],
        )["Datapoints"]
        return sum(point[statistic] for point in points)

    assert (total("Invocations"), total("InvocationsPerInstance")) == (7, 3.5)
    assert (total("Invocation4XXErrors"), total("Invocation5XXErrors")) == (1, 0)
    assert 0 < total("ModelLatency", "Average") < 60e6
