"""The history of what has served well: which version a rollback returns to in every state of the endpoint."""

import pytest

from ops import served_models
from ops.live_endpoint import LiveEndpoint
from ops.served_models import ServedModels
from tests.environments import with_clients
from tests.ops.test_endpoint_history import ENDPOINT, configuration, publish

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"


def served(*versions: int) -> ServedModels:
    """Return a history of versions, newest first."""
    models = ServedModels()
    for version in reversed(versions):
        models = models.with_success(f"{PACKAGE}/{version}")
    return models


def live(version: int | None, status: str = "InService") -> LiveEndpoint:
    packages = {} if version is None else {"AllTraffic": f"{PACKAGE}/{version}"}
    return LiveEndpoint(ENDPOINT, status, f"{ENDPOINT}-0000000{version}", packages)


def versions(packages: list[str]) -> list[int]:
    return [int(package.rpartition("/")[2]) for package in packages]


@pytest.mark.parametrize(
    ("history", "serving", "attempted", "candidates"),
    [
        pytest.param((2, 1), live(2), 2, [1], id="as intended"),
        pytest.param((3, 2, 1), live(2), 2, [1], id="version 2 serves although 3 was deployed later"),
        pytest.param((2, 1), live(2), 3, [2, 1], id="SageMaker rolled version 3 back"),
        pytest.param((2, 1), live(3), 3, [2, 1], id="bad version 3 serves, its checks failed"),
        pytest.param((2, 1), live(3), 2, [2, 1], id="version 3 serves, its deployment was interrupted"),
        pytest.param((2, 1), live(None), 2, [2, 1], id="a model of somebody else serves"),
        pytest.param((2, 1), None, 2, [1, 2], id="missing"),
        pytest.param((2,), None, 2, [2], id="missing, and only one version has served"),
        pytest.param((2, 1), None, 3, [2, 1], id="missing after a failed deployment"),
        pytest.param((2, 1), live(2, "Failed"), 2, [1, 2], id="Failed"),
        pytest.param((2, 1), live(3, "Failed"), 3, [2, 1], id="Failed with a bad version"),
        pytest.param((2, 1), live(2, "OutOfService"), 2, [1, 2], id="OutOfService"),
        pytest.param((2, 1), live(2), None, [1], id="no outputs"),
        pytest.param((1,), live(1), 1, [], id="only one version"),
        pytest.param((), live(1), 1, [], id="nothing has served well"),
    ],
)
def test_a_rollback_never_aims_at_a_version_that_has_not_served_well(history, serving, attempted, candidates):
    package = None if attempted is None else f"{PACKAGE}/{attempted}"
    assert versions(served(*history).rollback_candidates(serving, package)) == candidates


def test_other_settings_of_the_same_model_do_not_use_up_the_history():
    models = served(2, 1)
    for _ in range(20):
        models = models.with_success(f"{PACKAGE}/2")
    assert models == served(2, 1)


def test_failed_deployments_drop_no_good_version():
    models = served(2, 1)
    for version in range(3, 30):
        models = models.with_failure(f"{PACKAGE}/{version}", "alarm")
    assert versions(models.packages) == [2, 1]
    assert (models.failed.package, models.failed.reason) == (f"{PACKAGE}/29", "alarm")
    assert models.with_success(f"{PACKAGE}/30").failed is None


def test_a_second_rollback_goes_further_back():
    models = served(3, 2, 1).with_success(f"{PACKAGE}/2", rollback=True)
    assert versions(models.packages) == [2, 1]
    assert versions(models.rollback_candidates(live(2), f"{PACKAGE}/2")) == [1]


def test_a_version_that_is_deployed_again_is_the_newest_once():
    assert versions(served(3, 2, 1).with_success(f"{PACKAGE}/1").packages) == [1, 3, 2]


def test_the_history_fits_the_parameter():
    models = served(*range(1000, 0, -1)).with_failure(f"{PACKAGE}/1001", "x" * 5000)
    assert len(models.packages) == served_models.KEPT
    assert len(models.model_dump_json()) < 4096


def test_the_history_is_read_as_it_was_written(account, dev):
    account.publish(f"served_models/{ENDPOINT}", {"served": []})
    models = served(2, 1).with_failure(f"{PACKAGE}/3", "alarm")
    served_models.write(dev, ENDPOINT, models)
    assert served_models.history(dev, ENDPOINT, live(2)) == models


def test_nothing_is_written_where_the_stack_has_created_no_parameter(account, dev):
    served_models.write(dev, ENDPOINT, served(1))
    assert dev.client("ssm").describe_parameters()["Parameters"][0]["Name"].endswith("/foundation")
    assert len(dev.client("ssm").describe_parameters()["Parameters"]) == 1


@pytest.mark.parametrize("content", [None, "", "[]", '{"served": [{"package": 1}]}', "{", "null"])
def test_a_lost_history_is_derived_from_the_kept_configurations(account, dev, content):
    """Version 3 is newer than the live one: it was rolled back."""
    if content is not None:
        name = f"/image-classifier/dev/served_models/{ENDPOINT}"
        dev.client("ssm").put_parameter(Name=name, Value=content or " ", Type="String")
    publish(account, 3, 2, 2, 1)
    assert versions(served_models.history(dev, ENDPOINT, live(2)).packages) == [2, 1]
    assert versions(served_models.history(dev, ENDPOINT, None).packages) == [3, 2, 1]


def test_a_refusal_is_not_mistaken_for_a_lost_history(account, dev):
    from botocore.exceptions import ClientError

    class Refusing:
        def get_parameter(self, Name):
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter")

    assert configuration(1)["key"] == "00000001"
    with pytest.raises(ClientError, match="AccessDenied"):
        served_models.history(with_clients(dev, ssm=Refusing()), ENDPOINT, None)
