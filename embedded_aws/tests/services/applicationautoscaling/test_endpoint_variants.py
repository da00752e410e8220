"""Scaling of endpoint variants on the running embedded AWS; policies and schedules on a fast clock."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from hosting_kit import Hosting, variant

TARGET = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}

STEPS = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
    ],
    "Cooldown": 3600,
}


@pytest.fixture(scope="module")
def aws(embedded_aws):
    return scalable(embedded_aws)


@pytest.fixture
def scaling(aws):
    return aws.client("application-autoscaling")


def scalable(embedded_aws) -> Hosting:
    """Create the endpoint `scaled` with one instance."""
    running = Hosting(embedded_aws)
    running.model("scaled")
    running.config("scaled", variant("scaled"))
    running.endpoint("scaled", "scaled")
    return running


def resource(endpoint: str) -> str:
    return f"endpoint/{endpoint}/variant/AllTraffic"


def put_target_tracking(scaling, endpoint: str, target: float) -> None:
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
    """Return the current number of instances."""
    described = aws.sagemaker.describe_endpoint(EndpointName=endpoint)
    return described["ProductionVariants"][0]["CurrentInstanceCount"]


@pytest.fixture(scope="module")
def fast(fast_embedded_aws):
    """An endpoint on an embedded AWS whose minutes take a second."""
    return scalable(fast_embedded_aws)


def test_load_scales_out_and_its_end_scales_in(fast):
    aws, scaling = fast, fast.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("scaled"), MinCapacity=1, MaxCapacity=2)
    put_target_tracking(scaling, "scaled", target=2)
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-endpoint/scaled/")
    described = {
        a["AlarmName"].split("-")[2]: (a["Threshold"], a["EvaluationPeriods"]) for a in alarms["MetricAlarms"]
    }
    assert described == {"AlarmHigh": (2, 3), "AlarmLow": (1.8, 15)}
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


def test_alarm_triggers_step_scaling_and_a_schedule_sets_bounds(fast):
    aws, scaling, cloudwatch = fast, fast.client("application-autoscaling"), fast.client("cloudwatch")
    aws.endpoint("stepped", "scaled")
    where = {**TARGET, "ResourceId": resource("stepped")}
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=4)
    policy = scaling.put_scaling_policy(
        **where,
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration=STEPS,
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


def test_concurrent_requests_scale_out_within_seconds(fast):
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
        requests = [pool.submit(aws.ask, "concurrent", b"sleep3") for _ in range(4)]
        aws.until(lambda: count(aws, "concurrent") == 2)
        assert all(request.result()["size"] == 6 for request in requests)
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


def test_burstable_variant_cannot_be_registered(aws, scaling):
    aws.config("burstable", variant("scaled", kind="ml.t2.medium"))
    aws.endpoint("burstable", "burstable")
    with pytest.raises(ClientError, match="burstable instances such as T2") as error:
        scaling.register_scalable_target(
            **TARGET, ResourceId=resource("burstable"), MinCapacity=1, MaxCapacity=2
        )
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_invalid_targets_are_refused(aws, scaling):
    with pytest.raises(ClientError, match="doesn't exist"):
        scaling.register_scalable_target(**TARGET, ResourceId=resource("no"), MinCapacity=1, MaxCapacity=2)
    with pytest.raises(ClientError, match="Maximum capacity cannot be less"):
        scaling.register_scalable_target(
            **TARGET, ResourceId=resource("scaled"), MinCapacity=2, MaxCapacity=1
        )
    with pytest.raises(ClientError, match=r"ObjectNotFoundException.*No scalable target found"):
        put_target_tracking(scaling, "no", 10)


def test_instance_type_of_a_registered_variant_cannot_change(aws, scaling):
    aws.endpoint("typed", "scaled")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("typed"), MinCapacity=1, MaxCapacity=2)
    aws.config("larger", variant("scaled", kind="ml.m5.xlarge"))
    with pytest.raises(ClientError, match="deregister the target"):
        aws.sagemaker.update_endpoint(EndpointName="typed", EndpointConfigName="larger")


def test_deleted_endpoint_deregisters_its_target(aws, scaling):
    aws.endpoint("gone", "scaled")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("gone"), MinCapacity=1, MaxCapacity=2)
    put_target_tracking(scaling, "gone", 10)
    aws.sagemaker.delete_endpoint(EndpointName="gone")
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource("gone")])
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource("gone"))
    assert targets["ScalableTargets"] == [] and policies["ScalingPolicies"] == []
