"""What serves before a deployment, as the stack published it and SageMaker tells."""

import json

import pytest
from botocore.exceptions import ClientError

from ops import endpoint_history as generations
from ops import settings as environments
from ops.aws import client
from ops.errors import OperatorError

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
ENDPOINT = "image-classifier-dev"


@pytest.fixture
def dev() -> environments.Settings:
    return environments.load("dev")


def publish(dev, *versions: int) -> list[dict]:
    """Generations that serve these versions of the model, newest first."""
    value = [
        {"key": f"key{v}", "variants": [{"name": "AllTraffic", "model_package_arn": f"{PACKAGE}/{v}"}]}
        for v in versions
    ]
    client("ssm", dev.region).put_parameter(
        Name=f"/image-classifier/dev/endpoint_history/{ENDPOINT}", Value=json.dumps(value), Type="String"
    )
    return value


def test_a_new_endpoint_has_none(moto_aws, dev):
    assert generations.deployed(dev, ENDPOINT) == {"kept_configurations": []}


def test_what_serves_is_told_with_its_instances(moto_aws, dev, monkeypatch):
    kept = publish(dev, 2, 1)
    live = {
        "EndpointConfigName": f"{ENDPOINT}-key1",
        "ProductionVariants": [
            {"VariantName": "AllTraffic", "DesiredInstanceCount": 3},
            {"VariantName": "Serverless"},
        ],
    }

    class SageMaker:
        def describe_endpoint(self, EndpointName):
            assert EndpointName == ENDPOINT
            return live

    real = generations.client
    monkeypatch.setattr(
        generations, "client", lambda name, region: SageMaker() if name == "sagemaker" else real(name, region)
    )
    assert generations.deployed(dev, ENDPOINT) == {
        "kept_configurations": kept,
        "live": "key1",
        "instance_counts": {"AllTraffic": 3},
    }


def test_a_refusal_is_not_taken_for_a_new_endpoint(moto_aws, dev, monkeypatch):
    class Refusing:
        def describe_endpoint(self, **_):
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeEndpoint"
            )

    real = generations.client
    monkeypatch.setattr(
        generations, "client", lambda name, region: Refusing() if name == "sagemaker" else real(name, region)
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        generations.deployed(dev, ENDPOINT)


@pytest.mark.parametrize(("versions", "previous"), [((2, 1), 1), ((1, 2), 2), ((3, 3, 1), 1)])
def test_the_model_before_the_last(moto_aws, dev, versions, previous):
    publish(dev, *versions)
    assert generations.previous_package(dev, ENDPOINT) == f"{PACKAGE}/{previous}"


@pytest.mark.parametrize("versions", [(), (1,), (1, 1)])
def test_no_model_to_go_back_to(moto_aws, dev, versions):
    publish(dev, *versions)
    with pytest.raises(
        OperatorError, match=r"no model to go back to: image-classifier-dev has served no other .*--env dev"
    ):
        generations.previous_package(dev, ENDPOINT)
