"""Scaling of provisioned concurrency on the running embedded AWS; a minute of its fast clock takes 0.25 s."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from embedded_aws import client
from embedded_aws.pytest_plugin import EmbeddedAws
from functions_kit import HOLD, Functions, expect_error

TARGET = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}
SLEEP = "import time\ndef handler(e, c): time.sleep(e or 0)"


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    home = tmp_path_factory.mktemp("function-scaling-aws")
    try:
        yield Functions(EmbeddedAws(home, 240))
    finally:
        client.destroy(home)


def target(functions: Functions, qualifier: str) -> dict[str, str]:
    """Create a function. Returns its alias or version as the keys of a scalable target."""
    name = functions.create(SLEEP, Publish=True, Timeout=10)
    functions.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return {**TARGET, "ResourceId": f"function:{name}:{qualifier}"}


def provisioned(functions: Functions, where: dict[str, str]) -> tuple[int, int]:
    """Return the numbers of requested and of initialized environments; (0, 0) without a configuration."""
    _, name, qualifier = where["ResourceId"].split(":")
    try:
        found = functions.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    except functions.client.exceptions.ProvisionedConcurrencyConfigNotFoundException:
        return 0, 0
    return (
        found["RequestedProvisionedConcurrentExecutions"],
        found["AllocatedProvisionedConcurrentExecutions"],
    )


def activities(scaling, where: dict[str, str]) -> list[dict]:
    """Return the scaling activities, oldest first."""
    found = scaling.describe_scaling_activities(ServiceNamespace="lambda", ResourceId=where["ResourceId"])
    return found["ScalingActivities"][::-1]


@pytest.mark.slow
def test_utilization_scales_provisioned_concurrency_out_and_in(fast, until):
    scaling, where = fast.aws.client("application-autoscaling"), target(fast, "live")
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=3)
    until(lambda: provisioned(fast, where) == (1, 1))
    policy = scaling.put_scaling_policy(
        **where,
        PolicyName="use",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 0.7,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
            },
        },
    )
    high, low = sorted(alarm["AlarmName"] for alarm in policy["Alarms"])
    cloudwatch = fast.aws.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[high])["MetricAlarms"]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Average", 0.7, 3)
    name = where["ResourceId"].split(":")[1]
    assert {d["Value"] for d in alarm["Dimensions"]} == {name, f"{name}:live"}
    enough, over = threading.Event(), threading.Event()

    def load(ends: threading.Event) -> None:
        while not ends.is_set():
            fast.call(name, 0.05, Qualifier="live")

    with ThreadPoolExecutor(2) as pool:
        for ends in (enough, over):
            pool.submit(load, ends)
        try:
            until(lambda: provisioned(fast, where) == (3, 3))
            enough.set()  # one of three in use is below the target; without requests there would be no data
            until(lambda: provisioned(fast, where)[0] == 2)
        finally:
            enough.set()
            over.set()
    done = until(
        lambda: (
            all(a["StatusCode"] != "InProgress" for a in activities(scaling, where))
            and activities(scaling, where)
        )
    )
    assert [a["Description"] for a in done[:3]] == [f"Setting desired concurrency to {n}." for n in (1, 2, 3)]
    assert f"{high} in state ALARM triggered policy use" in done[1]["Cause"] and low in done[3]["Cause"]
    assert done[1]["StatusMessage"] == (
        "Successfully set desired concurrency to 2. Change successfully fulfilled by lambda."
    )


@pytest.mark.slow
def test_schedule_scales_to_zero_and_an_error_of_lambda_fails_the_activity(fast, until):
    scaling, where = fast.aws.client("application-autoscaling"), target(fast, "1")
    name = where["ResourceId"].split(":")[1]
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=5)
    until(lambda: provisioned(fast, where) == (1, 1))
    night = {"ScheduledActionName": "night", "Schedule": "rate(1 minute)"}
    scaling.put_scheduled_action(**where, **night, ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0})
    until(lambda: provisioned(fast, where) == (0, 0))
    scaling.delete_scheduled_action(**where, ScheduledActionName="night")
    fast.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    scaling.register_scalable_target(**where, MinCapacity=3, MaxCapacity=5)
    failed = until(lambda: [a for a in activities(scaling, where) if a["StatusCode"] == "Failed"])[0]
    assert failed["StatusMessage"].startswith("Failed to set desired concurrency to 3. Reason: Requested")
    assert (
        "Setting min capacity to 0 and max capacity to 0",
        "scheduled action name night was triggered",
    ) in [(a["Description"], a["Cause"]) for a in activities(scaling, where)]
    scaling.deregister_scalable_target(**where)


def test_only_published_versions_and_their_aliases_can_be_registered(embedded_aws):
    functions, scaling = Functions(embedded_aws), embedded_aws.client("application-autoscaling")
    name = functions.create(SLEEP, Publish=True)
    functions.client.create_alias(FunctionName=name, Name="next", FunctionVersion="$LATEST")
    bounds = {**TARGET, "MinCapacity": 1, "MaxCapacity": 1}
    for resource in (f"function:{name}", f"function:{name}:next", f"function:{name}:7", "function:none:1"):
        expect_error("ValidationException", scaling.register_scalable_target, **bounds, ResourceId=resource)
    scaling.register_scalable_target(**{**bounds, "MaxCapacity": 2}, ResourceId=f"function:{name}:1")
    with pytest.raises(ClientError, match="LambdaProvisionedConcurrencyUtilization"):
        scaling.put_scaling_policy(
            **TARGET,
            ResourceId=f"function:{name}:1",
            PolicyName="p",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 10,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
                },
            },
        )
    scaling.deregister_scalable_target(**TARGET, ResourceId=f"function:{name}:1")


def test_utilization_of_provisioned_concurrency_is_recorded(embedded_aws, until):
    functions, cloudwatch = Functions(embedded_aws), embedded_aws.client("cloudwatch")
    name = functions.create(HOLD, Publish=True)
    where = {"FunctionName": name, "Qualifier": "1"}
    functions.client.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=1)
    got = functions.client.get_provisioned_concurrency_config
    until(lambda: got(**where)["Status"] == "READY")
    with functions.held(f"{name}:1"):
        functions.call(f"{name}:1")

    def total(metric: str, statistic: str) -> float:
        query = {
            "Id": "m",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": "FunctionName", "Value": name},
                        {"Name": "Resource", "Value": f"{name}:1"},
                    ],
                },
                "Period": 3600,
                "Stat": statistic,
            },
        }
        found = cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=time.time() - 3600, EndTime=time.time() + 3600
        )
        return max(found["MetricDataResults"][0]["Values"], default=0.0)

    until(lambda: total("ProvisionedConcurrencySpilloverInvocations", "Sum") == 1)
    assert total("ProvisionedConcurrencyInvocations", "Sum") == 1
    assert total("ProvisionedConcurrencyUtilization", "Maximum") == 1
