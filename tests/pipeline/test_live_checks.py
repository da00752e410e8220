"""After a deployment: the live endpoint is the intended one, or it is said what differs."""

import pytest
from botocore.exceptions import ClientError

from ops.errors import OperatorError
from ops.settings.serving import AsynchronousSettings, ServerlessSettings, ServingSettings
from pipeline import live_checks as deployment


class Aws:
    """The answers of SageMaker, Application Auto Scaling and Lambda; changed by the tests."""

    def __init__(self, serving):
        self.statuses = ["InService"]
        self.config = serving.endpoint_config_name
        self.reason = None
        self.container = {"ModelPackageName": serving.model_package_arn}
        self.beside = {}
        self.limits = [(1, 3)]
        self.qualifier = "7"
        self.provisioned = [{"Status": "READY", "AvailableProvisionedConcurrentExecutions": 2}]

    def describe_endpoint(self, EndpointName):
        if not self.statuses:
            error = {"Code": "ValidationException", "Message": 'Could not find endpoint "x".'}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        live = {"EndpointStatus": status, "EndpointConfigName": self.config}
        return live | ({"FailureReason": self.reason} if self.reason else {})

    def describe_endpoint_config(self, EndpointConfigName):
        assert EndpointConfigName == self.config
        return {"ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "model"}], **self.beside}

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
def aws(monkeypatch, serving):
    fake = Aws(serving)
    monkeypatch.setattr(deployment, "client", lambda service, region: fake)
    monkeypatch.setattr(deployment, "pauses", lambda: iter([None] * 10))
    return fake


def test_the_intended_endpoint_passes(aws, dev, serving):
    aws.statuses = ["Creating", "Updating", "InService"]
    deployment.check_live(dev, serving)


def test_a_rolled_back_update_is_no_success(aws, dev, serving):
    aws.config, aws.reason = "image-classifier-dev-old", "alarm image-classifier-dev-5xx"
    aws.statuses = ["Updating", "RollingBack", "InService"]
    with pytest.raises(OperatorError) as failed:
        deployment.check_live(dev, serving)
    for part in ("image-classifier-dev-old", "image-classifier-dev-new", "5xx", "rolled back"):
        assert part in str(failed.value)


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed", "OutOfService", "Deleting"])
def test_an_endpoint_that_does_not_serve_names_its_log(aws, dev, serving, status):
    aws.statuses, aws.reason = [status], "no ping"
    with pytest.raises(
        OperatorError, match=rf"is {status} \(no ping\): .*/aws/sagemaker/Endpoints/image-classifier-dev"
    ):
        deployment.check_live(dev, serving)


def test_a_missing_endpoint(aws, dev, serving):
    aws.statuses = []
    with pytest.raises(OperatorError, match="endpoint image-classifier-dev does not exist"):
        deployment.check_live(dev, serving)


@pytest.mark.parametrize(
    ("container", "held"),
    [
        ({"ModelPackageName": "arn:other/9"}, "arn:other/9"),
        ({"Image": "x"}, "a model without a model package"),
    ],
)
def test_another_package_behind_the_same_configuration(aws, dev, serving, container, held):
    aws.container = container
    with pytest.raises(OperatorError, match=f"holds {held}, not {serving.model_package_arn}"):
        deployment.check_live(dev, serving)


def test_another_package_behind_the_shadow(aws, dev, serving):
    aws.beside = {"ShadowProductionVariants": [{"VariantName": "Shadow", "ModelName": "model"}]}
    intended = {"variants": {**serving.variants, "Shadow": f"{serving.model_package_arn}0"}}
    with pytest.raises(OperatorError, match=r"Variant Shadow .* holds .*/1, not .*/10"):
        deployment.check_live(dev, serving.model_copy(update=intended))
    deployment.check_live(
        dev,
        serving.model_copy(
            update={"variants": dict.fromkeys(("AllTraffic", "Shadow"), serving.model_package_arn)}
        ),
    )


@pytest.mark.parametrize(
    ("was", "wanted", "fits"),
    [
        ("instance", {}, True),
        ("serverless", {}, True),
        ("instance", {"serverless": ServerlessSettings()}, False),
        ("instance", {"asynchronous": AsynchronousSettings()}, False),
        ("asynchronous", {}, False),
    ],
)
def test_an_endpoint_becomes_what_sagemaker_makes_of_it(dev, serving, was, wanted, fits):
    settings = dev.model_copy(update={"serving": dev.serving.model_copy(update=wanted)})
    served = serving.model_copy(update={"hosting": was})
    if fits:
        return deployment.check_convertible(settings, served)
    with pytest.raises(
        OperatorError,
        match=f"image-classifier-dev serves as {was}, .*--endpoint NAME, or first ./inv destroy",
    ):
        deployment.check_convertible(settings, served)


def test_serverless_inference_has_no_gpu(aws, dev, serving):
    serverless = dev.model_copy(update={"serving": ServingSettings(serverless={})})
    registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com/ray"
    aws.image = f"{registry}:serve-ml-sagemaker-cpu-v1"
    deployment.check_image(serverless, serving.model_package_arn)
    aws.image = f"{registry}:serve-ml-sagemaker-cuda-v1"
    deployment.check_image(dev, serving.model_package_arn)
    with pytest.raises(
        OperatorError, match=r"version 1 is registered with .*cuda-v1, .*no GPU, takes .*cpu-v1: .*--env dev"
    ):
        deployment.check_image(serverless, serving.model_package_arn)


def test_the_intended_capacity_passes(aws, dev, serving):
    aws.provisioned.insert(0, {"Status": "IN_PROGRESS"})
    deployment.check_capacity(dev, serving)


@pytest.mark.parametrize("limits", [[], [(1, 2)], [(2, 3)]])
def test_other_scaling_limits(aws, dev, serving, limits):
    aws.limits = limits
    with pytest.raises(OperatorError, match=r"variant/AllTraffic scales within .*, not 1 to 3"):
        deployment.check_capacity(dev, serving)


def test_scaling_that_is_off_is_not_looked_at(aws, dev, serving):
    aws.limits = []
    deployment.check_capacity(dev, serving.model_copy(update={"scaled_variants": []}))


def test_limits_of_a_schedule_are_its_own(aws, dev, serving):
    scheduled = serving.model_copy(update={"scheduled": True})
    aws.limits = [(2, 10)]
    deployment.check_capacity(dev, scheduled)
    aws.limits = []
    with pytest.raises(OperatorError, match="scales within"):
        deployment.check_capacity(dev, scheduled)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"Status": "FAILED", "StatusReason": "init error"}, r"is FAILED \(init error\), not READY with 2"),
        ({"Status": "READY", "AvailableProvisionedConcurrentExecutions": 1}, "not READY with 2"),
    ],
)
def test_provisioned_concurrency_that_is_not_there(aws, dev, serving, config, told):
    aws.provisioned = [config]
    with pytest.raises(OperatorError, match=told):
        deployment.check_capacity(dev, serving)


def test_what_a_schedule_keeps_warm_is_its_own(aws, dev, serving):
    scheduled = serving.model_copy(update={"provisioned_qualifier": "live"})
    aws.qualifier = "live"
    ready = {"Status": "READY", "RequestedProvisionedConcurrentExecutions": 8}
    aws.provisioned = [ready | {"AvailableProvisionedConcurrentExecutions": 8}]
    deployment.check_capacity(dev, scheduled)
    aws.provisioned = [ready | {"AvailableProvisionedConcurrentExecutions": 7}]
    with pytest.raises(OperatorError, match="not READY with 8"):
        deployment.check_capacity(dev, scheduled)


def test_no_provisioned_concurrency_is_asked_for(aws, dev, serving):
    aws.provisioned = [{"Status": "FAILED"}]
    deployment.check_capacity(dev, serving.model_copy(update={"provisioned_concurrency": 0}))
