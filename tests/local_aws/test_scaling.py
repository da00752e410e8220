"""Target tracking of endpoint variants: the rule by itself, and on the running server with a fast clock."""

import threading

import pytest
from botocore.exceptions import ClientError

from local_aws.scaling import TargetTracking
from tests.local_aws.hosting_kit import Hosting, variant

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


@pytest.mark.slow
def test_load_adds_instances_and_its_end_removes_them(new_embedded_aws):
    aws = scalable(new_embedded_aws(time_scale=60))
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, ResourceId=resource("scaled"), MinCapacity=1, MaxCapacity=2)
    follow(scaling, "scaled", target=10)
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
    aws.settled("scaled")
    activities = scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=resource("scaled")
    )
    descriptions = [a["Description"] for a in activities["ScalingActivities"]]
    assert descriptions == ["Setting desired instance count to 1.", "Setting desired instance count to 2."]
    assert {a["StatusCode"] for a in activities["ScalingActivities"]} == {"Successful"}
    assert "AlarmLow" in activities["ScalingActivities"][0]["Cause"]
    scaling.register_scalable_target(**TARGET, ResourceId=resource("scaled"), MinCapacity=2)
    aws.until(lambda: count(aws, "scaled") == 2)


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
