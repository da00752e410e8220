"""Updates of endpoints: traffic shifting, rolling batches, alarms, time limits, rollback."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting import shifting
from embedded_aws.services.sagemaker.hosting.deployments import Deployments
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.traffic import Traffic
from hosting_kit import Hosting, containers, serverless, variant

KEY = EndpointKey("123456789012", "us-east-1", "e")


def rolling(size: int, kind: str = "INSTANCE_COUNT", wait: int = 0, **more) -> dict:
    batch = {"Type": kind, "Value": size}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait, **more}}


@pytest.mark.parametrize(
    "routing_, shares",
    [
        ({"Type": "ALL_AT_ONCE"}, [1.0]),
        ({"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 30}}, [0.3, 1.0]),
        ({"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}, [0.25, 1.0]),
        (
            {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25}},
            [0.25, 0.5, 0.75, 1.0],
        ),
        ({"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 40}}, [0.4, 0.8, 1.0]),
    ],
)
def test_traffic_shifts_in_the_configured_steps(routing_, shares):
    fleet = SimpleNamespace(deployment={"Variants": [{"VariantName": "v"}]}, count=lambda name: 4)
    assert shifting.shares(routing_, fleet) == pytest.approx(shares)


class Batches:
    """A fleet that records, at each scaling step, both fleets' instance counts and the new one's share."""

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
def runtime(tmp_path):
    return Runtime(home=tmp_path, port=1, time_scale=10_000)


@pytest.fixture
def replace(runtime):
    """Run `shifting.replace` with a guard."""

    def run(live: Traffic, fleet: Batches, config: dict) -> None:
        shifting.replace(live, fleet, config, shifting.Guard(runtime, KEY, config))

    return run


@pytest.fixture
def fleets():
    """Return traffic with an old fleet, a new fleet, and the list of their steps."""

    def make(old: int, new: int, **options) -> tuple[Traffic, Batches, list]:
        live, steps = Traffic(), []
        live.current = Batches(live, steps, old, old, options.get("old_fails_at"))
        return live, Batches(live, steps, 0, new, options.get("fails_at")), steps

    return make


def test_rolling_update_shifts_traffic_before_it_removes_old_instances(fleets, replace):
    live, new, steps = fleets(4, 4)
    replace(live, new, rolling(25, "CAPACITY_PERCENT"))
    assert steps == [
        "prepared",
        *[(4, 1, 0.0), (3, 1, 0.25), (3, 2, 0.25), (2, 2, 0.5), (2, 3, 0.5), (1, 3, 0.75), (1, 4, 0.75)],
    ]
    assert live.shifted == 1.0  # the caller ends the old fleet


def test_rolling_update_between_fleet_sizes_is_proportional(fleets, replace):
    live, new, steps = fleets(2, 5)
    replace(live, new, rolling(2))
    assert steps[1:] == [(2, 2, 0.0), (2, 2, 0.4), (2, 4, 0.4), (1, 4, 0.8), (1, 5, 0.8)]


def test_rollback_uses_its_own_batch_size(fleets, replace):
    config = rolling(1, RollbackMaximumBatchSize={"Type": "INSTANCE_COUNT", "Value": 1})
    live, new, steps = fleets(4, 4, fails_at=4)
    with pytest.raises(DeploymentFailed):
        replace(live, new, config)
    assert (live.current.now, new.now, live.shifted) == (1, 3, 0.75)
    del steps[:]
    shifting.restore(live, new, config)
    assert steps == [(2, 3, 0.75), (2, 2, 0.5), (3, 2, 0.5), (3, 1, 0.25), (4, 1, 0.25), "ended"]
    assert (live.next, live.shifted) == (None, 0.0)


def test_rollback_without_batch_size_restores_all_instances_at_once(fleets, replace):
    live, new, steps = fleets(4, 4, fails_at=3)
    with pytest.raises(DeploymentFailed):
        replace(live, new, rolling(1))
    del steps[:]
    shifting.restore(live, new, rolling(1))
    assert steps == [(4, 2, 0.5), "ended"]


def test_failed_rollback_leaves_both_fleets_serving(fleets, replace, runtime):
    live, new, _ = fleets(4, 4, fails_at=3, old_fails_at=4)
    endpoint = {
        "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e",
        "EndpointStatus": "Updating",
    }
    endpoint |= {"Deployed": live.current.deployment, "Pending": new.deployment}
    with pytest.raises(DeploymentFailed) as failure:
        replace(live, new, rolling(1))
    deployments = Deployments(runtime, None, None, None)
    deployments._roll_back(endpoint, live, new, rolling(1), failure.value)
    assert endpoint["EndpointStatus"] == "UpdateRollbackFailed" and endpoint["Pending"] is None
    assert "The rollback failed too" in endpoint["FailureReason"]
    assert (live.current.now, new.now, live.next, live.shifted) == (2, 2, new, 0.5)


def test_deployment_fails_at_its_time_limit(fleets, replace):
    live, new, _ = fleets(4, 4)
    config = rolling(1, wait=3600, MaximumExecutionTimeoutInSeconds=600)
    with pytest.raises(DeploymentFailed, match="longer than its MaximumExecutionTimeoutInSeconds, 600"):
        replace(live, new, config)


def test_several_variants_are_replaced_at_once(fleets, replace):
    live, new, steps = fleets(2, 2)
    new.deployment["ShadowVariants"] = [{"VariantName": "s", "DesiredInstanceCount": 1}]
    replace(live, new, rolling(1))
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
def test_batch_size_must_be_between_5_and_50_percent(size, kind, total, valid):
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
    yield running
    running.delete_endpoints()


def test_alarm_rolls_back_a_rolling_update_without_failed_requests(aws):
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
        described = aws.stable("rolling")
    cloudwatch.delete_alarms(AlarmNames=["rolling"])
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "roll-old")
    assert "alarm rolling is in state ALARM" in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert not containers("roll-new") and aws.ask("rolling")["version"] == "roll-old"


def test_rolling_update_adds_one_instance_and_fails_no_request(aws):
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


def test_invalid_deployment_configuration_is_refused(aws):
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


def test_serverless_variants_have_no_rolling_update():
    assert not shifting.rolls({"Variants": [serverless("m")]})
    assert shifting.rolls({"Variants": [variant("m")]})
