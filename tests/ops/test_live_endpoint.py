"""What an endpoint serves now: from SageMaker, not from what Terraform wrote down."""

import pytest
from botocore.exceptions import ClientError

from ops import live_endpoint
from ops.live_endpoint import LiveEndpoint
from tests.environments import with_clients

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
NAME = "image-classifier-dev"


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Could not find it."}}, "Describe")


class SageMaker:
    """One endpoint with two variants and a shadow variant."""

    def __init__(self):
        self.endpoint = {
            "EndpointStatus": "InService",
            "EndpointConfigName": f"{NAME}-aaaa",
            "ProductionVariants": [
                {"VariantName": "AllTraffic", "DesiredInstanceCount": 3, "CurrentInstanceCount": 2},
                {"VariantName": "Second"},
            ],
            "LastDeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "5xx"}]}},
            "FailureReason": "alarm 5xx",
        }
        self.configs = {
            f"{NAME}-aaaa": {
                "ProductionVariants": [
                    {"VariantName": "AllTraffic", "ModelName": "two"},
                    {"VariantName": "Second", "ModelName": "image"},
                ],
                "ShadowProductionVariants": [{"VariantName": "Shadow", "ModelName": "gone"}],
            }
        }
        self.models = {
            "two": {"PrimaryContainer": {"ModelPackageName": f"{GROUP}/2"}},
            "image": {"PrimaryContainer": {"Image": "x"}},
        }
        self.error = "ValidationException"

    def _get(self, found):
        if found is None:
            raise refusal(self.error)
        return found

    def describe_endpoint(self, EndpointName):
        return self._get(self.endpoint)

    def describe_endpoint_config(self, EndpointConfigName):
        return self._get(self.configs.get(EndpointConfigName))

    def describe_model(self, ModelName):
        return self._get(self.models.get(ModelName))


@pytest.fixture
def sagemaker() -> SageMaker:
    return SageMaker()


@pytest.fixture
def env(dev, sagemaker):
    return with_clients(dev, sagemaker=sagemaker)


def test_the_live_endpoint_names_its_models_and_instances(env):
    live = live_endpoint.find(env, NAME)
    assert live == LiveEndpoint(
        name=NAME,
        status="InService",
        config=f"{NAME}-aaaa",
        packages={"AllTraffic": f"{GROUP}/2", "Second": "", "Shadow": ""},
        desired={"AllTraffic": 3},
        current={"AllTraffic": 2},
        alarms=("5xx",),
        reason="alarm 5xx",
    )
    assert live.package == f"{GROUP}/2"
    assert live.versions == {"AllTraffic": "2", "Second": "?", "Shadow": "?"}


def test_a_failed_endpoint_may_have_no_configuration(env, sagemaker):
    sagemaker.endpoint = {"EndpointStatus": "Failed"}
    assert live_endpoint.find(env, NAME) == LiveEndpoint(name=NAME, status="Failed")


def test_a_deleted_configuration_leaves_the_models_unknown(env, sagemaker):
    sagemaker.configs.clear()
    live = live_endpoint.find(env, NAME)
    assert (live.packages, live.package, live.versions) == ({}, "", {})


def test_a_missing_endpoint_is_none_and_a_refusal_is_not(env, sagemaker):
    sagemaker.endpoint = None
    assert live_endpoint.find(env, NAME) is None
    sagemaker.error = "AccessDeniedException"
    with pytest.raises(ClientError, match="AccessDenied"):
        live_endpoint.find(env, NAME)
