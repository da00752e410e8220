"""Target tracking of endpoint variants: the rule by itself, and on the running server with a fast clock."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from embedded_aws import client as daemon
from embedded_aws.pytest_plugin import EmbeddedAws, free_port
from embedded_aws.services.applicationautoscaling.rules import TargetTracking
from hosting_kit import Hosting, variant

RULE = TargetTracking(target=100, scale_out_cooldown=300, scale_in_cooldown=300)
TARGET = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


def test_three_points_over_the_target_scale_out_in_proportion():
    assert RULE.capacity([250, 250, 250], current=2) == 5


def test_fewer_points_over_the_target_change_nothing():
    assert RULE.capacity([250, 250], current=1) == 1
    assert RULE.capacity([250, 100, 250], current=1) == 1


def test_fifteen_points_under_the_target_scale_in():
    assert RULE.capacity([20] * 15, current=4) == 1
    assert RULE.capacity([20] * 14 + [45], current=4) == 2
    assert RULE.capacity([0] * 15, current=3) == 1


def test_fewer_points_under_the_target_change_nothing():
    assert RULE.capacity([0] * 14, current=3) == 3
    assert RULE.capacity([95] + [0] * 14, current=3) == 3


def test_just_under_the_target_nothing_is_taken_away():
    assert RULE.capacity([95] * 15, current=3) == 3


def test_a_cooldown_holds_back_all_but_a_larger_step_out():
    assert RULE.capacity([150] * 3, current=2, since_out=299, last_added=1) == 2
    assert RULE.capacity([150] * 3, current=2, since_out=300, last_added=1) == 3
    assert RULE.capacity([300] * 3, current=2, since_out=10, last_added=1) == 6


def test_a_cooldown_holds_back_scaling_in():
    assert RULE.capacity([0] * 15, current=3, since_in=299) == 3
    assert RULE.capacity([0] * 15, current=3, since_in=300) == 1


def test_scaling_in_never_delays_scaling_out():
    assert RULE.capacity([200] * 3, current=1, since_in=1) == 2


def test_no_capacity_at_all_is_left_and_reached_where_it_is_allowed():
    assert RULE.capacity([0] * 15, current=1, least=0) == 0
    assert RULE.capacity([250] * 3, current=0, least=0) == 3


def test_scaling_in_can_be_disabled():
    rule = TargetTracking.of({"TargetValue": 100, "DisableScaleIn": True})
    assert rule.capacity([0] * 15, current=3) == 3 and rule.scale_in_cooldown == 300


@pytest.fixture(scope="module")
def aws(embedded_aws):
    return scalable(embedded_aws)


@pytest.fixture
def scaling(aws):
    return aws.client("application-autoscaling")


def scalable(embedded_aws) -> Hosting:
    running = Hosting(embedded_aws)
    running.model("scaled")
    running.config("scaled", variant("scaled"))
    running.endpoint("scaled", "scaled")
    return running


def resource(endpoint: str) -> str:
    return f"endpoint/{endpoint}/variant/AllTraffic"


def follow(scaling, endpoint: str, target: float) -> None:
    scaling.put_scaling_policy(
        **TARGET,
        ResourceId=resource(endpoint),
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": target,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleInCooldown": 30,
            "ScaleOutCooldown": 60,
        },
    )


def count(aws, endpoint: str) -> int:
    described = aws.sagemaker.describe_endpoint(EndpointName=endpoint)
    return described["ProductionVariants"][0]["CurrentInstanceCount"]


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """An embedded AWS whose minutes take a second."""
    home = tmp_path_factory.mktemp("scaling-aws")
    try:
        yield scalable(EmbeddedAws(home, free_port(), 60))
    finally:
        daemon.destroy(home)


@pytest.mark.slow
def test_load_adds_instances_and_its_end_removes_them(fast):
    aws, scaling = fast, fast.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("scaled"), MinCapacity=1, MaxCapacity=2)
    follow(scaling, "scaled", target=10)
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-endpoint/scaled/")
    described = {
        a["AlarmName"].split("-")[2]: (a["Threshold"], a["EvaluationPeriods"]) for a in alarms["MetricAlarms"]
    }
    assert described == {"AlarmHigh": (10, 3), "AlarmLow": (9, 15)}
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            aws.ask("scaled")

    thread = threading.Thread(target=load)
    thread.start()
    try:
        aws.until(lambda: count(aws, "scaled") == 2)
        assert len({aws.ask("scaled")["pid"] for _ in range(40)}) == 2
    finally:
        over.set()
        thread.join()
    aws.until(lambda: count(aws, "scaled") == 1)
    aws.stable("scaled")
    activities = scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=resource("scaled")
    )
    descriptions = [a["Description"] for a in activities["ScalingActivities"]]
    assert descriptions == ["Setting desired instance count to 1.", "Setting desired instance count to 2."]
    assert {a["StatusCode"] for a in activities["ScalingActivities"]} == {"Successful"}
    assert "AlarmLow" in activities["ScalingActivities"][0]["Cause"]
    scaling.register_scalable_target(**TARGET, ResourceId=resource("scaled"), MinCapacity=2)
    aws.until(lambda: count(aws, "scaled") == 2)
    scaling.deregister_scalable_target(**TARGET, ResourceId=resource("scaled"))
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-endpoint/scaled/")
    assert alarms["MetricAlarms"] == []


@pytest.mark.slow
def test_an_alarm_of_ones_own_takes_steps_and_a_schedule_sets_bounds(fast):
    aws, scaling, cloudwatch = fast, fast.client("application-autoscaling"), fast.client("cloudwatch")
    aws.endpoint("stepped", "scaled")
    where = {**TARGET, "ResourceId": resource("stepped")}
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=4)
    policy = scaling.put_scaling_policy(
        **where,
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [
                {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
                {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
            ],
            "Cooldown": 3600,
        },
    )["PolicyARN"]
    cloudwatch.put_metric_alarm(
        AlarmName="queue",
        Namespace="mine",
        MetricName="queue",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=100,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy],
    )
    cloudwatch.put_metric_data(Namespace="mine", MetricData=[{"MetricName": "queue", "Value": 150}])
    aws.until(lambda: count(aws, "stepped") == 3)
    aws.stable("stepped")
    scaling.put_scheduled_action(
        **where,
        ScheduledActionName="hourly",
        Schedule="rate(1 hour)",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )
    [action] = scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"]
    assert action["Schedule"] == "rate(1 hour)"
    scaling.put_scheduled_action(
        **where,
        ScheduledActionName="hourly",
        Schedule="rate(1 minute)",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )
    aws.until(lambda: count(aws, "stepped") == 2)
    activities = scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=resource("stepped")
    )["ScalingActivities"]
    causes = [(a["Description"], a["Cause"]) for a in reversed(activities)]
    assert causes[0] == (
        "Setting desired instance count to 3.",
        "monitor alarm queue in state ALARM triggered policy steps",
    )
    assert (
        "Setting min capacity to 1 and max capacity to 2",
        "scheduled action name hourly was triggered",
    ) in causes
    assert ("Setting desired instance count to 2.", "maximum capacity was set to 2") in causes
    aws.stable("stepped")


@pytest.mark.slow
def test_requests_under_way_scale_within_seconds(fast):
    aws, scaling = fast, fast.client("application-autoscaling")
    aws.endpoint("concurrent", "scaled")
    where = {**TARGET, "ResourceId": resource("concurrent")}
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=2)
    kind = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
    scaling.put_scaling_policy(
        **where,
        PolicyName="concurrency",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 1,
            "PredefinedMetricSpecification": {"PredefinedMetricType": kind},
        },
    )
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(aws.ask, "concurrent", b"sleep3") for _ in range(4)]
        aws.until(lambda: count(aws, "concurrent") == 2)
        assert all(answer.result()["size"] == 6 for answer in asked)
    aws.stable("concurrent")
    cloudwatch = aws.client("cloudwatch")

    def used(metric: str) -> float:
        now = datetime.now(timezone.utc)
        points = cloudwatch.get_metric_statistics(
            Namespace="/aws/sagemaker/Endpoints",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": "concurrent"},
                {"Name": "VariantName", "Value": "AllTraffic"},
            ],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Maximum"],
        )["Datapoints"]
        assert all(point["Unit"] == "Percent" for point in points)
        return max((point["Maximum"] for point in points), default=0.0)

    aws.until(lambda: aws.ask("concurrent", b"spin0.1") and used("CPUUtilization") > 0)
    assert used("CPUUtilization") < 100 * 64
    assert 0 < used("MemoryUtilization") < 100


@pytest.mark.slow
def test_burstable_variants_cannot_scale(aws, scaling):
    aws.config("burstable", variant("scaled", kind="ml.t2.medium"))
    aws.endpoint("burstable", "burstable")
    with pytest.raises(ClientError, match="burstable instances such as T2") as error:
        scaling.register_scalable_target(
            **TARGET, ResourceId=resource("burstable"), MinCapacity=1, MaxCapacity=2
        )
    assert error.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.slow
def test_what_cannot_be_scaled_is_refused(aws, scaling):
    with pytest.raises(ClientError, match="doesn't exist"):
        scaling.register_scalable_target(**TARGET, ResourceId=resource("no"), MinCapacity=1, MaxCapacity=2)
    with pytest.raises(ClientError, match="Maximum capacity cannot be less"):
        scaling.register_scalable_target(
            **TARGET, ResourceId=resource("scaled"), MinCapacity=2, MaxCapacity=1
        )
    with pytest.raises(ClientError, match=r"ObjectNotFoundException.*No scalable target found"):
        follow(scaling, "no", 10)


@pytest.mark.slow
def test_the_instance_type_of_a_registered_variant_stays(aws, scaling):
    aws.endpoint("typed", "scaled")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("typed"), MinCapacity=1, MaxCapacity=2)
    aws.config("larger", variant("scaled", kind="ml.m5.xlarge"))
    with pytest.raises(ClientError, match="deregister the target"):
        aws.sagemaker.update_endpoint(EndpointName="typed", EndpointConfigName="larger")


@pytest.mark.slow
def test_a_deleted_endpoint_takes_its_target_along(aws, scaling):
    aws.endpoint("gone", "scaled")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("gone"), MinCapacity=1, MaxCapacity=2)
    follow(scaling, "gone", 10)
    aws.sagemaker.delete_endpoint(EndpointName="gone")
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource("gone")])
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource("gone"))
    assert targets["ScalableTargets"] == [] and policies["ScalingPolicies"] == []
