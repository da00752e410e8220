"""Stack outputs: read from SSM, validated; missing and outdated ones name the command that makes them."""

import pytest

from ops import outputs
from ops.outputs import MissingOutputs, OutdatedOutputs

WORKBENCH = {
    "name": "image-classifier-dev-workbench",
    "kind": "studio",
    "instance_type": "ml.t3.medium",
    "internet_access": True,
    "repository_uri": "s3://bucket/code/abc/repository.tar.gz",
    "role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-workbench",
    "domain_id": "d-1",
    "file_system_id": "fs-1",
}
KEPT = [
    {
        "key": "abc",
        "execution_role_arn": "arn:role",
        "network_isolation": True,
        "variants": [
            {
                "name": "AllTraffic",
                "model_name": "m",
                "model_package_arn": "arn/1",
                "weight": 100,
                "shadow": False,
                "x": None,
            }
        ],
        "y": 2,
    }
]


def test_outputs_of_every_stack_are_read(account, dev, foundation, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    account.publish("endpoint_history/image-classifier-dev", KEPT)
    account.publish("workbench", WORKBENCH)
    assert dev.outputs.foundation == foundation
    assert dev.outputs.serving() == dev.outputs.find_serving("image-classifier-dev") == serving
    assert dev.outputs.workbench().model_dump() == WORKBENCH
    (kept,) = dev.outputs.kept_configurations("image-classifier-dev")
    assert kept.model_dump() == KEPT[0]  # Terraform gets every field back


def test_the_foundation_is_read_once_until_it_is_forgotten(account, dev, foundation):
    assert dev.outputs.foundation.kms_key_arn == foundation.kms_key_arn
    account.publish("foundation", {**foundation.model_dump(), "kms_key_arn": "another"})
    assert dev.outputs.foundation.kms_key_arn == foundation.kms_key_arn
    dev.outputs.forget()
    assert dev.outputs.foundation.kms_key_arn == "another"


def test_a_missing_foundation_is_looked_up_again(moto_aws, dev, foundation):
    with pytest.raises(
        MissingOutputs, match=r"dev has no foundation .*\./inv apply --stack foundation --env dev\.$"
    ):
        _ = dev.outputs.foundation
    from tests.conftest import Account

    Account(dev).publish("foundation", foundation.model_dump())
    assert dev.outputs.foundation == foundation


def test_a_missing_endpoint_names_the_command(account, dev):
    with pytest.raises(
        MissingOutputs, match=r"no endpoint image-classifier-dev yet: run \./inv deploy --env dev\.$"
    ):
        dev.outputs.serving()
    with pytest.raises(
        MissingOutputs, match=r"image-classifier-dev-multi yet: .* --env dev --endpoint multi\.$"
    ):
        dev.outputs.serving("multi")
    assert dev.outputs.find_serving("image-classifier-dev") is None
    assert dev.outputs.kept_configurations("image-classifier-dev") == []


def test_a_missing_workbench_names_the_command(account, dev):
    assert dev.outputs.find_workbench() is None
    with pytest.raises(MissingOutputs, match=r"has no workbench: run \./inv workbench\.up --env dev\.$"):
        dev.outputs.workbench()


@pytest.mark.parametrize(
    ("name", "read", "command"),
    [
        ("foundation", lambda found: found.foundation, "apply --stack foundation"),
        ("serving/image-classifier-dev", lambda found: found.serving(), "deploy"),
        (
            "workbench",
            lambda found: found.workbench(),
            r"workbench\.down --env dev, then \./inv workbench\.up",
        ),
    ],
)
def test_outdated_outputs_name_the_command(account, dev, name, read, command):
    account.publish(name, {"bucket": "b"})
    with pytest.raises(
        OutdatedOutputs,
        match=rf"another version of this repository \(.*\): run \./inv {command} --env dev\.$",
    ):
        read(dev.outputs)


def test_an_outdated_history_names_the_commands(account, dev):
    account.publish("endpoint_history/image-classifier-dev-multi", [{"key": "abc"}])
    with pytest.raises(
        OutdatedOutputs,
        match=r"run \./inv deploy --env dev --endpoint multi, which writes it again\.$",
    ):
        dev.outputs.kept_configurations("image-classifier-dev-multi")


def test_a_deployment_ignores_outdated_outputs_of_its_endpoint(account, dev):
    account.publish("serving/image-classifier-dev", {"endpoint_name": "image-classifier-dev"})
    assert dev.outputs.find_serving("image-classifier-dev") is None


def test_every_endpoint_of_the_environment_is_listed_also_with_outdated_outputs(account, dev, serving):
    account.publish("serving/image-classifier-dev-multi", serving.model_dump())
    account.publish("serving/image-classifier-dev", {"another": "version"})
    assert dev.outputs.endpoints() == ["image-classifier-dev", "image-classifier-dev-multi"]


@pytest.mark.parametrize(
    ("given", "full"),
    [
        (None, "image-classifier-dev"),
        ("", "image-classifier-dev"),
        ("image-classifier-dev", "image-classifier-dev"),
        ("multi", "image-classifier-dev-multi"),
        ("image-classifier-dev-multi", "image-classifier-dev-multi"),
    ],
)
def test_endpoint_names_are_completed(dev, given, full):
    assert outputs.endpoint_name(dev.settings, given) == full


@pytest.mark.parametrize("given", ["a_b", "multi model", "x" * 40, "-", "multi-", "ä"])
def test_invalid_endpoint_names_are_refused(dev, given):
    with pytest.raises(outputs.OperatorError, match="is not a valid endpoint name"):
        outputs.endpoint_name(dev.settings, given)


def test_parameters_are_below_project_and_environment(dev):
    assert outputs.parameter(dev.settings, "foundation") == "/image-classifier/dev/foundation"
    assert outputs.parameter(dev.settings) == "/image-classifier/dev"
