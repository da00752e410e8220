"""What an endpoint served before: kept configurations, live configuration, instance counts, previous model."""

import pytest
from botocore.exceptions import ClientError

from ops import endpoint_history
from ops.errors import OperatorError
from tests.environments import with_clients

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
ENDPOINT = "image-classifier-dev"


def publish(account, *versions: int) -> list[dict]:
    """Publish kept configurations that serve these model versions, newest first."""
    value = [
        {"key": f"key{v}", "variants": [{"name": "AllTraffic", "model_package_arn": f"{PACKAGE}/{v}"}]}
        for v in versions
    ]
    account.publish(f"endpoint_history/{ENDPOINT}", value)
    return value


def test_a_new_endpoint_has_no_history(account, dev):
    assert endpoint_history.deployed(dev, ENDPOINT) == {"kept_configurations": []}


def test_the_live_configuration_is_returned_with_its_instance_counts(account, dev):
    kept = publish(account, 2, 1)
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

    assert endpoint_history.deployed(with_clients(dev, sagemaker=SageMaker()), ENDPOINT) == {
        "kept_configurations": [
            {
                **item,
                "variants": [{"model_package_arn": v["model_package_arn"], **v} for v in item["variants"]],
            }
            for item in kept
        ],
        "live": "key1",
        "instance_counts": {"AllTraffic": 3},
    }


def test_a_refusal_is_not_mistaken_for_a_new_endpoint(account, dev):
    class Refusing:
        def describe_endpoint(self, **_):
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeEndpoint"
            )

    with pytest.raises(ClientError, match="AccessDenied"):
        endpoint_history.deployed(with_clients(dev, sagemaker=Refusing()), ENDPOINT)


@pytest.mark.parametrize(("versions", "previous"), [((2, 1), 1), ((1, 2), 2), ((3, 3, 1), 1)])
def test_the_previous_package_is_the_last_other_one(account, dev, versions, previous):
    publish(account, *versions)
    assert endpoint_history.previous_package(dev, ENDPOINT) == f"{PACKAGE}/{previous}"


@pytest.mark.parametrize("versions", [(), (1,), (1, 1)])
def test_without_an_earlier_model_the_commands_are_named(account, dev, versions):
    publish(account, *versions)
    with pytest.raises(
        OperatorError, match=r"^image-classifier-dev has no earlier model to roll back to\. .*--env dev"
    ):
        endpoint_history.previous_package(dev, ENDPOINT)
