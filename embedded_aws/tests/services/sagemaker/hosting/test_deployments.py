"""Changes of running endpoints: weights, restarts, updates, rollbacks."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from hosting_kit import Hosting, is_running, variant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("deployed")
    yield running
    running.delete_endpoints()


def test_variants_get_requests_by_weight_or_by_name(aws):
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
    described = {v["VariantName"]: v for v in aws.stable("both")["ProductionVariants"]}
    assert (described["B"]["CurrentInstanceCount"], described["B"]["CurrentWeight"]) == (2, 1)
    assert {aws.ask("both")["variant"] for _ in range(20)} == {"B"}
    assert len({aws.ask("both")["pid"] for _ in range(40)}) == 2


def test_dead_instance_gets_no_requests_and_is_restarted(aws):
    aws.config("pair", variant("deployed", count=2))
    aws.endpoint("pair", "pair")
    victim = aws.ask("pair")["pid"]
    os.kill(victim, signal.SIGKILL)
    aws.until(lambda: not is_running(victim))
    pids = {aws.ask("pair")["pid"] for _ in range(20)}
    assert victim not in pids

    def both_serve():
        return len({aws.ask("pair")["pid"] for _ in range(20)}) == 2

    aws.until(both_serve)


def test_update_under_load_fails_no_request(aws):
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
    assert aws.stable("updated")["EndpointConfigName"] == "v2"
    assert versions[0] == "1" and aws.ask("updated")["version"] == "2"


def test_failed_update_leaves_the_old_configuration_serving(aws):
    aws.model("crashes", aws.put("crashes.tar.gz", {"code/app.py": "raise SystemExit(1)"}))
    aws.config("crashes", variant("crashes"))
    aws.config("stays", variant("deployed"))
    aws.endpoint("rolled-back", "stays")
    aws.sagemaker.update_endpoint(EndpointName="rolled-back", EndpointConfigName="crashes")
    described = aws.stable("rolled-back")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "stays")
    assert "did not pass the ping health check" in described["FailureReason"]
    assert aws.ask("rolled-back")["size"] == 7


def test_alarm_rolls_back_a_canary_update(aws):
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
    aws.config("before", variant("deployed"))
    aws.config("after", variant("deployed"))
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
    aws.until(lambda: len({aws.ask("canary")["pid"] for _ in range(10)}) == 2)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    described = aws.stable("canary")
    assert described["EndpointConfigName"] == "before" and "errors" in described["FailureReason"]
    assert described["LastDeploymentConfig"] == config
