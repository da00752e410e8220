"""An endpoint that a bad model has taken over is repaired under load, and guarded again afterwards."""

import pytest

from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from pipeline import deploy, repair
from tests.terraform.serving_kit import (
    APP,
    BROKEN,
    PREFIX,
    SETTINGS,
    Callers,
    Endpoint,
    make_foundation,
)

FAILING = APP.replace('return {"predictions": []}', 'raise RuntimeError("bad model")')
WATCHED = {
    # A minute of the fast clock is a second. Long enough for the alarms to see a bad fleet before the old one ends.
    "deployment": {"termination_wait_seconds": 600},
    "observability": {"thresholds": {"endpoint_p99_ms": 60000}},  # a busy machine is slow
}


@pytest.fixture
def endpoint(fast_embedded_aws, stack_variables, _no_real_account, tmp_path, monkeypatch) -> Endpoint:
    for name, value in stack_variables(fast_embedded_aws).items():
        monkeypatch.setenv(name, value)
    foundation = make_foundation(fast_embedded_aws)
    made = Endpoint(fast_embedded_aws, foundation, f"{PREFIX}-repair", tmp_path / "function.zip")
    made.write_function("first")
    return made


def in_alarm(endpoint: Endpoint) -> set[str]:
    alarms = endpoint.aws.client("cloudwatch").describe_alarms(
        StateValue="ALARM", AlarmNamePrefix=f"{endpoint.name}-"
    )["MetricAlarms"]
    return {alarm["AlarmName"] for alarm in alarms}


def test_a_bad_model_under_load_is_replaced_and_a_second_one_is_rolled_back(endpoint, until):
    good, bad, broken = endpoint.register(), endpoint.register(FAILING), endpoint.register(BROKEN)
    with pytest.raises(OperatorError):
        endpoint.stack(broken, **WATCHED).up()
    assert endpoint.describe()["EndpointStatus"] == "Failed"
    with Step("repair") as step:
        assert repair.make_updatable(Environment(SETTINGS), endpoint.name, step) is None
    endpoint.stack(good, **WATCHED).up()
    assert len(endpoint.scaling("ScalingPolicies")) == 1
    first = endpoint.describe()["EndpointConfigName"]
    endpoint.stack(bad, **WATCHED).up()  # without requests no alarm sees that it is bad
    second = endpoint.describe()["EndpointConfigName"]
    assert second != first

    with Callers(endpoint) as callers:
        until(lambda: {f"{endpoint.name}-5xx", f"{second}-5xx"} <= in_alarm(endpoint))
        endpoint.stack(good, **WATCHED).up()
        live = endpoint.describe()
        assert (live["EndpointConfigName"], live.get("FailureReason")) == (first, None)
        until(lambda: not in_alarm(endpoint))
        callers.failures.clear()

        try:
            endpoint.stack(bad, **WATCHED).up()
        except OperatorError as error:  # Terraform has asked while SageMaker rolled back
            assert deploy.ROLLING_BACK in str(error)
        live = until(lambda: (found := endpoint.describe())["EndpointStatus"] == "InService" and found)
        assert live["EndpointConfigName"] == first
        assert f"alarm {second}-5xx is in state ALARM" in live["FailureReason"]
        assert callers.failures  # the bad fleet did get requests

    # The plan for the version in service removes what the failed update left, and does not touch the endpoint.
    changed = {change.address for change in endpoint.stack(good, **WATCHED).plan().changes}
    key = second.rpartition("-")[2]
    assert f'module.endpoint.aws_sagemaker_endpoint_configuration.this["{key}"]' in changed
    assert "module.endpoint.aws_sagemaker_endpoint.this" not in changed
