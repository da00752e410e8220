"""Rolling updates of endpoints: batches, alarms, the time limit, and the way back."""

import pytest
from botocore.exceptions import ClientError

from embedded_aws import runtime
from embedded_aws.services.sagemaker.hosting import deployments, shifting
from embedded_aws.services.sagemaker.hosting.failures import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.live import Traffic
from hosting_kit import Hosting, containers, serverless, variant

KEY = ("123456789012", "us-east-1", "e")


def rolling(size: int, kind: str = "INSTANCE_COUNT", wait: int = 0, **more) -> dict:
    batch = {"Type": kind, "Value": size}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait, **more}}


class Batches:
    """A fleet that notes how many instances each had, and the new one's share, whenever it is scaled."""

    def __init__(self, live, steps, count, wanted, fails_at=None):
        self.deployment = {"Variants": [{"VariantName": "v", "DesiredInstanceCount": wanted}]}
        self.live, self.steps, self.now, self.fails_at = live, steps, count, fails_at

    def prepare(self):
        self.steps.append("prepared")

    def launch(self):
        self.now = self.deployment["Variants"][0]["DesiredInstanceCount"]
        self.steps.append("launched")

    def count(self, name):
        return self.now

    def scale(self, name, count):
        if self.fails_at is not None and count >= self.fails_at:
            raise DeploymentFailed("did not pass the ping health check")
        self.now = count
        self.steps.append((self.live.current.now, self.live.next.now, round(self.live.shifted, 2)))

    def end(self):
        self.steps.append("ended")


@pytest.fixture
def fleets(monkeypatch, tmp_path):
    """Makes traffic between an old and a new fleet of such instances, and the list of the steps."""
    monkeypatch.setattr(runtime, "_current", runtime.Runtime(home=tmp_path, port=1, time_scale=10_000))

    def make(old: int, new: int, **options) -> tuple[Traffic, Batches, list]:
        live, steps = Traffic(), []
        live.current = Batches(live, steps, old, old, options.get("old_fails_at"))
        return live, Batches(live, steps, 0, new, options.get("fails_at")), steps

    return make


def test_each_batch_takes_its_share_before_as_many_old_instances_go(fleets):
    live, new, steps = fleets(4, 4)
    shifting.replace(KEY, live, new, rolling(25, "CAPACITY_PERCENT"))
    assert steps == [
        "prepared",
        *[(4, 1, 0.0), (3, 1, 0.25), (3, 2, 0.25), (2, 2, 0.5), (2, 3, 0.5), (1, 3, 0.75), (1, 4, 0.75)],
    ]
    assert live.shifted == 1.0  # who asked for this ends the old fleet


def test_a_fleet_of_another_size_is_replaced_in_proportion(fleets):
    live, new, steps = fleets(2, 5)
    shifting.replace(KEY, live, new, rolling(2))
    assert steps[1:] == [(2, 2, 0.0), (2, 2, 0.4), (2, 4, 0.4), (1, 4, 0.8), (1, 5, 0.8)]


def test_the_old_fleet_comes_back_in_batches_of_its_own(fleets):
    config = rolling(1, RollbackMaximumBatchSize={"Type": "INSTANCE_COUNT", "Value": 1})
    live, new, steps = fleets(4, 4, fails_at=4)
    with pytest.raises(DeploymentFailed):
        shifting.replace(KEY, live, new, config)
    assert (live.current.now, new.now, live.shifted) == (1, 3, 0.75)
    del steps[:]
    shifting.restore(live, new, config)
    assert steps == [(2, 3, 0.75), (2, 2, 0.5), (3, 2, 0.5), (3, 1, 0.25), (4, 1, 0.25), "ended"]
    assert (live.next, live.shifted) == (None, 0.0)


def test_without_a_rollback_size_the_old_fleet_comes_back_at_once(fleets):
    live, new, steps = fleets(4, 4, fails_at=3)
    with pytest.raises(DeploymentFailed):
        shifting.replace(KEY, live, new, rolling(1))
    del steps[:]
    shifting.restore(live, new, rolling(1))
    assert steps == [(4, 2, 0.5), "ended"]


def test_a_rollback_that_fails_leaves_both_fleets_serving(fleets):
    live, new, _ = fleets(4, 4, fails_at=3, old_fails_at=4)
    endpoint = {
        "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e",
        "EndpointStatus": "Updating",
    }
    endpoint |= {"Deployed": live.current.deployment, "Pending": new.deployment}
    with pytest.raises(DeploymentFailed) as failure:
        shifting.replace(KEY, live, new, rolling(1))
    deployments._roll_back(endpoint, live, new, rolling(1), failure.value)
    assert endpoint["EndpointStatus"] == "UpdateRollbackFailed" and endpoint["Pending"] is None
    assert "The rollback failed too" in endpoint["FailureReason"]
    assert (live.current.now, new.now, live.next, live.shifted) == (2, 2, new, 0.5)


def test_a_deployment_has_a_time_limit(fleets):
    live, new, _ = fleets(4, 4)
    config = rolling(1, wait=3600, MaximumExecutionTimeoutInSeconds=600)
    with pytest.raises(DeploymentFailed, match="longer than its MaximumExecutionTimeoutInSeconds, 600"):
        shifting.replace(KEY, live, new, config)


def test_several_variants_are_replaced_at_once(fleets):
    live, new, steps = fleets(2, 2)
    new.deployment["ShadowVariants"] = [{"VariantName": "s", "DesiredInstanceCount": 1}]
    shifting.replace(KEY, live, new, rolling(1))
    assert steps == ["launched"] and live.shifted == 1.0


@pytest.mark.parametrize(
    ("size", "kind", "total", "valid"),
    [
        (1, "INSTANCE_COUNT", 2, True),
        (2, "INSTANCE_COUNT", 3, False),
        (1, "INSTANCE_COUNT", 21, False),
        (50, "CAPACITY_PERCENT", 1, True),
        (51, "CAPACITY_PERCENT", 8, False),
        (4, "CAPACITY_PERCENT", 100, False),
    ],
)
def test_a_batch_is_between_5_and_50_percent(size, kind, total, valid):
    deployment = {"Variants": [{"VariantName": "v", "DesiredInstanceCount": total}]}
    try:
        shifting.check(rolling(size, kind), deployment)
    except Exception as error:
        assert not valid and error.code == "ValidationException"
        assert "between 5% and 50% of the variant's total instance count" in error.message
    else:
        assert valid


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    for version in ("roll-old", "roll-new"):
        running.model(version, isolated=False, VERSION=version)
        running.config(version, variant(version, count=2))
    running.endpoint("rolling", "roll-old")
    return running


def test_an_alarm_rolls_a_rolling_update_back_without_a_failed_request(aws):
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="rolling",
        Namespace="mine",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    config = rolling(50, "CAPACITY_PERCENT", wait=600) | {
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "rolling"}]}
    }
    aws.sagemaker.update_endpoint(
        EndpointName="rolling", EndpointConfigName="roll-new", DeploymentConfig=config
    )
    with aws.load("rolling") as answers:
        aws.until(lambda: {answer["version"] for answer in answers} == {"roll-old", "roll-new"})
        assert (len(containers("roll-old")), len(containers("roll-new"))) == (2, 1)
        cloudwatch.set_alarm_state(AlarmName="rolling", StateValue="ALARM", StateReason="test")
        described = aws.settled("rolling")
    cloudwatch.delete_alarms(AlarmNames=["rolling"])
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "roll-old")
    assert "alarm rolling is in state ALARM" in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert not containers("roll-new") and aws.ask("rolling")["version"] == "roll-old"


def test_a_rolling_update_has_one_instance_more_and_fails_no_request(aws):
    most = 0
    aws.sagemaker.update_endpoint(
        EndpointName="rolling", EndpointConfigName="roll-new", DeploymentConfig=rolling(1)
    )
    with aws.load("rolling") as answers:
        while (described := aws.sagemaker.describe_endpoint(EndpointName="rolling"))[
            "EndpointStatus"
        ] == "Updating":
            most = max(most, len(containers("roll-old") | containers("roll-new")))
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "roll-new")
    assert described["LastDeploymentConfig"] == rolling(1)
    assert most == 3 and {answer["version"] for answer in answers} == {"roll-old", "roll-new"}
    assert len(containers("roll-new")) == 2 and not containers("roll-old")


def test_deployment_configurations_that_cannot_be_are_refused(aws):
    at_once = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    both = rolling(1) | {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": at_once}}
    for config, message in (
        (both, "Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy"),
        (rolling(2), "between 5% and 50%"),
        (rolling(1, MaximumExecutionTimeoutInSeconds=28_801), "less than or equal to 28800"),
    ):
        with pytest.raises(ClientError, match=message) as error:
            aws.sagemaker.update_endpoint(
                EndpointName="rolling", EndpointConfigName="roll-old", DeploymentConfig=config
            )
        assert error.value.response["Error"]["Code"] == "ValidationException"
    aws.sagemaker.delete_endpoint(EndpointName="rolling")


def test_serverless_variants_do_not_roll():
    assert not shifting.rolls({"Variants": [serverless("m")]})
    assert shifting.rolls({"Variants": [variant("m")]})
