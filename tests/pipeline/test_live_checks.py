"""Checks of a deployment: the live endpoint is the intended one, or the error says what differs."""

import pytest
from botocore.exceptions import ClientError

from ops.errors import OperatorError
from ops.settings.serving import (
    AsynchronousSettings,
    DeploymentSettings,
    ServerlessSettings,
    ServingSettings,
)
from pipeline import live_checks
from tests.environments import with_clients, with_settings


class Aws:
    """The answers of SageMaker, Application Auto Scaling and Lambda; tests change them."""

    def __init__(self, serving):
        self.statuses = ["InService"]
        self.config = serving.endpoint_config_name
        self.reason = None
        self.container = {"ModelPackageName": serving.model_package_arn}
        self.more_variants = {}
        self.limits = [(1, 3)]
        self.qualifier = "7"
        self.provisioned = [{"Status": "READY", "RequestedProvisionedConcurrentExecutions": 2}]

    def describe_endpoint(self, EndpointName):
        if not self.statuses:
            error = {"Code": "ValidationException", "Message": 'Could not find endpoint "x".'}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            self.statuses = []
            return self.describe_endpoint(EndpointName)
        live = {"EndpointStatus": status, "EndpointConfigName": self.config}
        return live | ({"FailureReason": self.reason} if self.reason else {})

    def describe_endpoint_config(self, EndpointConfigName):
        assert EndpointConfigName == self.config
        return {
            "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "model"}],
            **self.more_variants,
        }

    def describe_model(self, ModelName):
        return {"PrimaryContainer": self.container}

    def describe_model_package(self, ModelPackageName):
        version = int(ModelPackageName.rpartition("/")[2])
        return {
            "ModelPackageVersion": version,
            "InferenceSpecification": {"Containers": [{"Image": self.image}]},
        }

    def describe_scalable_targets(self, ServiceNamespace, ResourceIds):
        assert ResourceIds == ["endpoint/image-classifier-dev/variant/AllTraffic"]
        return {"ScalableTargets": [{"MinCapacity": low, "MaxCapacity": high} for low, high in self.limits]}

    def get_provisioned_concurrency_config(self, FunctionName, Qualifier):
        assert (FunctionName, Qualifier) == ("image-classifier-dev-inference", self.qualifier)
        return self.provisioned.pop(0) if len(self.provisioned) > 1 else self.provisioned[0]


@pytest.fixture
def aws(serving, fast_clock):
    return Aws(serving)


@pytest.fixture
def env(dev, aws):
    """Environment dev with these answers."""
    return with_clients(dev, sagemaker=aws, application_autoscaling=aws, lambda_=aws)


def test_the_intended_endpoint_passes(aws, env, serving):
    aws.statuses = ["Creating", "Updating", "InService"]
    live_checks.check_live(env, serving)


def test_a_rolled_back_update_is_an_error(aws, env, serving):
    aws.config, aws.reason = "image-classifier-dev-old", "alarm image-classifier-dev-5xx"
    aws.statuses = ["Updating", "RollingBack", "InService"]
    with pytest.raises(OperatorError) as failed:
        live_checks.check_live(env, serving)
    for part in (
        "image-classifier-dev-old",
        "5xx",
        "rolled the update",
        "version 1 is in",
    ):
        assert part in str(failed.value)


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed", "OutOfService"])
def test_an_endpoint_out_of_service_names_its_log(aws, env, serving, status):
    aws.statuses, aws.reason = [status], "no ping"
    with pytest.raises(
        OperatorError, match=rf"is {status} \(no ping\): .*/aws/sagemaker/Endpoints/image-classifier-dev"
    ):
        live_checks.check_live(env, serving)


def test_an_endpoint_without_a_configuration_is_reported_as_failed(aws, env, serving, monkeypatch):
    """AWS's answer need not have EndpointConfigName."""
    live = {"EndpointStatus": "Failed", "FailureReason": "no capacity"}
    monkeypatch.setattr(aws, "describe_endpoint", lambda EndpointName: live)
    with pytest.raises(OperatorError, match=r"is Failed \(no capacity\)"):
        live_checks.check_live(env, serving)


def test_a_missing_endpoint_is_an_error(aws, env, serving):
    aws.statuses = []
    with pytest.raises(OperatorError, match="endpoint image-classifier-dev does not exist"):
        live_checks.check_live(env, serving)


@pytest.mark.parametrize(
    ("container", "held"),
    [
        ({"ModelPackageName": "arn:other/9"}, "arn:other/9"),
        ({"Image": "x"}, "a model without a model package"),
    ],
)
def test_another_package_in_the_same_configuration_is_an_error(aws, env, serving, container, held):
    aws.container = container
    with pytest.raises(OperatorError, match=f"holds {held}, not {serving.model_package_arn}"):
        live_checks.check_live(env, serving)


def test_another_package_of_the_shadow_variant_is_an_error(aws, env, serving):
    aws.more_variants = {"ShadowProductionVariants": [{"VariantName": "Shadow", "ModelName": "model"}]}
    intended = {"variants": {**serving.variants, "Shadow": f"{serving.model_package_arn}0"}}
    with pytest.raises(OperatorError, match=r"Variant Shadow .* holds .*/1, not .*/10"):
        live_checks.check_live(env, serving.model_copy(update=intended))
    live_checks.check_live(
        env,
        serving.model_copy(
            update={"variants": dict.fromkeys(("AllTraffic", "Shadow"), serving.model_package_arn)}
        ),
    )


@pytest.mark.parametrize(
    ("was", "wanted", "supported"),
    [
        ("instance", {}, True),
        ("serverless", {}, True),
        ("instance", {"serverless": ServerlessSettings()}, False),
        ("instance", {"asynchronous": AsynchronousSettings()}, False),
        ("asynchronous", {}, False),
    ],
)
def test_only_conversions_that_sagemaker_supports_are_accepted(dev, serving, was, wanted, supported):
    settings = with_settings(dev, serving=wanted).settings
    served = serving.model_copy(update={"hosting": was})
    if supported:
        return live_checks.check_convertible(settings, served)
    with pytest.raises(
        OperatorError,
        match=f"image-classifier-dev has {was} hosting, .*--endpoint NAME, or first run ./inv destroy",
    ):
        live_checks.check_convertible(settings, served)


def test_serverless_inference_refuses_a_gpu_image(aws, env, serving):
    serverless = with_clients(with_settings(env, serving=ServingSettings(serverless={})), sagemaker=aws)
    registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com/ray"
    aws.image = f"{registry}:serve-ml-sagemaker-cpu-v1"
    live_checks.check_image(serverless, serving.model_package_arn)
    aws.image = f"{registry}:serve-ml-sagemaker-cuda-v1"
    live_checks.check_image(env, serving.model_package_arn)
    with pytest.raises(
        OperatorError,
        match=r"version 1 is registered with image .*cuda-v1, .*no GPU, needs .*cpu-v1: .*--env dev",
    ):
        live_checks.check_image(serverless, serving.model_package_arn)


def test_the_intended_capacity_passes(aws, env, serving):
    aws.provisioned.insert(0, {"Status": "IN_PROGRESS"})
    live_checks.check_capacity(env, serving)


@pytest.mark.parametrize("limits", [[], [(1, 2)], [(2, 3)]])
def test_other_scaling_limits_are_an_error(aws, env, serving, limits):
    aws.limits = limits
    with pytest.raises(
        OperatorError, match=r"variant/AllTraffic scales (not at all|from \d to \d), not from 1 to 3"
    ):
        live_checks.check_capacity(env, serving)


def test_scaling_that_is_off_is_not_checked(aws, env, serving):
    aws.limits = []
    live_checks.check_capacity(env, serving.model_copy(update={"scaled_variants": []}))


def test_a_schedule_may_change_the_limits(aws, env, serving):
    scheduled = serving.model_copy(update={"scheduled": True})
    aws.limits = [(2, 10)]
    live_checks.check_capacity(env, scheduled)
    aws.limits = []
    with pytest.raises(OperatorError, match="scales not at all"):
        live_checks.check_capacity(env, scheduled)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"Status": "FAILED", "StatusReason": "init error"},
            r"inference:7 is FAILED \(init error\), not READY:",
        ),
        ({"Status": "READY", "RequestedProvisionedConcurrentExecutions": 1}, "inference:7 is 1, not 2"),
    ],
)
def test_missing_provisioned_concurrency_is_an_error(aws, env, serving, config, message):
    aws.provisioned = [config]
    with pytest.raises(OperatorError, match=message):
        live_checks.check_capacity(env, serving)


def test_a_schedule_may_change_the_provisioned_concurrency(aws, env, serving):
    scheduled = serving.model_copy(update={"provisioned_qualifier": "live"})
    aws.qualifier = "live"
    aws.provisioned = [{"Status": "READY", "RequestedProvisionedConcurrentExecutions": 8}]
    live_checks.check_capacity(env, scheduled)


def test_environments_that_are_serving_requests_count(aws, env, serving):
    """While clients call the function, as those of a second demo, fewer environments are available than ready."""
    aws.provisioned[0]["AvailableProvisionedConcurrentExecutions"] = 0
    live_checks.check_capacity(env, serving)


def test_no_provisioned_concurrency_is_not_checked(aws, env, serving):
    aws.provisioned = [{"Status": "FAILED"}]
    live_checks.check_capacity(env, serving.model_copy(update={"provisioned_concurrency": 0}))


def test_an_update_that_never_ends_is_an_error(aws, env, serving, fast_clock):
    aws.statuses = ["Updating"]
    with pytest.raises(OperatorError, match=r"image-classifier-dev is still Updating after 135 minutes"):
        live_checks.wait_until_stable(env, serving.endpoint_name)
    assert sum(fast_clock) > 7200 + 900


def test_the_end_of_a_change_is_waited_for_and_shown(aws, env, serving, fast_clock):
    aws.statuses = ["Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting", None]
    texts = []
    assert live_checks.wait_until_stable(env, serving.endpoint_name, texts.append) is None
    assert [text.rpartition(" ")[2] for text in texts] == [
        "Creating",
        "Updating",
        "RollingBack",
        "SystemUpdating",
        "Deleting",
    ]


def test_the_deletion_of_an_endpoint_is_waited_for(aws, env, serving, fast_clock):
    aws.statuses = ["InService", "Deleting", "Deleting", None]
    texts = []
    live_checks.wait_until_deleted(env, serving.endpoint_name, texts.append)
    assert texts == ["waiting until image-classifier-dev is deleted"] * 3
    aws.statuses = ["InService"]
    with pytest.raises(
        OperatorError, match="image-classifier-dev still exists 15 minutes after its deletion"
    ):
        live_checks.wait_until_deleted(env, serving.endpoint_name, texts.append)


def test_the_limit_of_an_update_is_that_of_the_settings(aws, env, dev, serving, fast_clock):
    aws.statuses = ["Updating"]
    limited = with_settings(dev, serving={"deployment": DeploymentSettings(maximum_execution_seconds=600)})
    with pytest.raises(OperatorError, match=r"still Updating after 25 minutes"):
        live_checks.wait_until_stable(with_clients(limited, sagemaker=aws), serving.endpoint_name)


def test_provisioned_concurrency_that_is_never_allocated_is_an_error(aws, env, serving, fast_clock):
    aws.provisioned = [{"Status": "IN_PROGRESS"}]
    with pytest.raises(OperatorError, match=r"has not allocated .* within 15 minutes"):
        live_checks.check_capacity(env, serving)
