"""Stack serving on the embedded AWS: apply, update without losing capacity, roll back, destroy."""

import pytest

from tests.terraform.lost_state import check_adoption
from tests.terraform.serving_kit import BROKEN, PREFIX, Callers, Endpoint, make_foundation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def variables(embedded_aws, stack_variables) -> dict[str, str]:
    return stack_variables(embedded_aws)


@pytest.fixture(autouse=True)
def _environment(_no_real_account, variables, monkeypatch):
    """Set the AWS variables, which every test loses first."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def foundation(embedded_aws) -> dict:
    return make_foundation(embedded_aws)


@pytest.fixture
def endpoint(embedded_aws, foundation, tmp_path, request) -> Endpoint:
    made = Endpoint(embedded_aws, foundation, f"{PREFIX}-{request.param}", tmp_path / "function.zip")
    made.write_function("first")
    return made


@pytest.mark.parametrize("endpoint", ["update"], indirect=True)
def test_an_update_keeps_capacity_and_destroying_leaves_nothing(endpoint, until):
    first, second = endpoint.register(), endpoint.register()
    endpoint.stack(first).up()
    check_adoption(endpoint.aws, endpoint.stack(first))
    before = endpoint.outputs()
    assert endpoint.invoke_function() == "first"
    (model,) = endpoint.sagemaker.list_models(NameContains=endpoint.name)["Models"]
    described = endpoint.sagemaker.describe_model(ModelName=model["ModelName"])
    assert described["EnableNetworkIsolation"]
    groups = endpoint.foundation["network"]["serving_security_group_ids"]
    assert described["VpcConfig"]["SecurityGroupIds"] == groups

    # The new model and code start with as many instances as autoscaling had set.
    endpoint.scale_out(until)
    endpoint.write_function("second")
    with Callers(endpoint) as callers:
        endpoint.stack(second).up()
    assert (callers.failures, callers.fewest) == ([], 3)
    assert callers.responses > 5
    after = endpoint.outputs()
    assert endpoint.invoke_function() == "second"
    assert endpoint.describe()["EndpointConfigName"] == after["endpoint_config_name"]
    assert after["endpoint_config_name"] != before["endpoint_config_name"]

    endpoint.stack(second).down()
    until(lambda: endpoint.remaining() == [])  # the provider does not wait until the endpoint is deleted


@pytest.mark.parametrize("endpoint", ["history"], indirect=True)
def test_a_failed_update_keeps_the_live_model_and_is_deleted_by_the_next_update(endpoint, until):
    first, second, broken = endpoint.register(), endpoint.register(), endpoint.register(BROKEN)
    endpoint.stack(first).up()
    one = endpoint.outputs()["endpoint_config_name"]
    endpoint.stack(second).up()
    two = endpoint.outputs()["endpoint_config_name"]

    # Terraform reports success although the model does not start. The endpoint still serves the second one.
    endpoint.stack(broken).up()
    assert endpoint.describe()["EndpointConfigName"] == two
    assert {one, two} < set(endpoint.configurations())

    # Back to the first model, on another instance type, while autoscaling manages the variant.
    endpoint.scale_out(until)
    c5 = {"hosting": {"instance": {"type": "ml.c5.large"}}}
    with Callers(endpoint) as callers:
        endpoint.stack(first, **c5).up()
    assert (callers.failures, callers.fewest) == ([], 3)
    assert endpoint.stack(first, **c5).plan().changes == ()
    live = endpoint.describe()["EndpointConfigName"]
    described = endpoint.sagemaker.describe_endpoint_config(EndpointConfigName=live)
    assert described["ProductionVariants"][0]["InstanceType"] == "ml.c5.large"
    assert set(endpoint.configurations()) == {live, one, two}  # the broken one is deleted
    assert len(endpoint.scaling("ScalingPolicies")) == 1
