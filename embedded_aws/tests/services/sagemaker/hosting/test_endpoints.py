"""Endpoints: creation, description, deletion, refusals."""

import pickle

import pytest
from botocore.exceptions import ClientError

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.backend import EmbeddedSageMakerBackend
from embedded_aws.services.sagemaker.hosting.deployments import Deployments
from embedded_aws.services.servicequotas.quotas import Quotas
from hosting_kit import IMAGE, LIST, READ, ROLE, Hosting, is_running, refused, validation_error, variant

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
LONG = "x" * 64
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/serving/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def test_records_can_be_pickled(monkeypatch, tmp_path):
    runtime = Runtime(home=tmp_path, port=1)
    runtime.add(Quotas(tmp_path))
    runtime.add(Deployments(runtime, None, None, None))
    monkeypatch.setattr(Deployments, "deploy", lambda *arguments: None)
    monkeypatch.setattr(EmbeddedSageMakerBackend, "runtime", runtime, raising=False)
    backend = EmbeddedSageMakerBackend("us-east-1", "123456789012")
    container = {"Image": "image", "Environment": {}}
    backend.create_hosted_model({"ModelName": "m", "ExecutionRoleArn": "arn", "PrimaryContainer": container})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    backend.create_hosted_config({"EndpointConfigName": "c", "ProductionVariants": [variant]})
    backend.create_hosted_endpoint({"EndpointName": "e", "EndpointConfigName": "c"})
    saved = pickle.loads(pickle.dumps(backend.hosted_endpoints))
    assert saved["e"]["Pending"]["Variants"][0]["DesiredWeight"] == 1.0


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("serving")
    running.config("serving", variant("serving"))
    running.endpoint("serving", "serving")
    yield running
    running.delete_endpoints()


def test_description_has_the_deployed_variants(aws):
    described = aws.sagemaker.describe_endpoint(EndpointName="serving")
    [serving] = described["ProductionVariants"]
    assert described["EndpointStatus"] == "InService"
    assert (serving["CurrentInstanceCount"], serving["DesiredInstanceCount"]) == (1, 1)
    assert serving["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert not {"FailureReason", "DataCaptureConfig", "LastDeploymentConfig"} & described.keys()


@pytest.mark.parametrize(
    "name, image, files, reason",
    [
        (
            "image",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1",
            {},
            "cannot run on the embedded AWS",
        ),
        ("crash", IMAGE, {"code/app.py": "raise SystemExit('no')"}, "did not pass the ping health check"),
        (
            "requires",
            IMAGE,
            {"code/app.py": "", "code/requirements.txt": "--no-index\nno-such-package==1"},
            "No matching distribution found for no-such-package==1",
        ),
    ],
)
def test_endpoint_that_cannot_start_fails_with_a_reason(aws, name, image, files, reason):
    aws.model(f"fails-{name}", aws.put(f"{name}.tar.gz", files), image)
    aws.config(f"fails-{name}", variant(f"fails-{name}"))
    described = aws.endpoint(f"fails-{name}", f"fails-{name}")
    assert described["EndpointStatus"] == "Failed" and reason in described["FailureReason"]
    aws.sagemaker.delete_endpoint(EndpointName=f"fails-{name}")


def test_role_that_lost_its_permission_fails_the_endpoint(aws):
    aws.model("lost")
    aws.config("lost", variant("lost"))
    aws.allow(LIST)
    try:
        described = aws.endpoint("lost", "lost")
    finally:
        aws.allow(READ, LIST)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].startswith('Failed to download model data for container "container_1"')


def test_model_archive_cannot_write_outside_its_folder(aws):
    aws.model("escape", aws.put("escape.tar.gz", {"../outside.py": "", "code/app.py": ""}))
    aws.config("escape", variant("escape"))
    described = aws.endpoint("escape", "escape")
    assert "Failed to extract model data archive" in described["FailureReason"]


def test_delete_ends_the_containers(aws):
    aws.config("short", variant("serving"))
    aws.endpoint("short", "short")
    pid = aws.ask("short")["pid"]
    assert is_running(pid)
    aws.sagemaker.delete_endpoint(EndpointName="short")

    def gone():
        try:
            aws.sagemaker.describe_endpoint(EndpointName="short")
        except ClientError as error:
            return "Could not find endpoint" in str(error)
        return False

    aws.until(gone)
    assert not is_running(pid)
    assert refused(aws.ask, name="short")[0] == "ValidationError"


def test_tags_are_added_listed_and_deleted(aws):
    arn = aws.sagemaker.describe_endpoint(EndpointName="serving")["EndpointArn"]
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "Owner", "Value": "me"}])
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "Owner", "Value": "you"}])
    assert aws.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "Owner", "Value": "you"}]
    aws.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["Owner"])
    assert aws.sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    assert refused(aws.sagemaker.list_tags, ResourceArn=f"{arn}-absent")[0] == "ResourceNotFound"


def test_names_have_at_most_63_characters(aws):
    create = aws.sagemaker
    container = {"Image": IMAGE, "ModelDataUrl": "s3://hosting-models/model.tar.gz"}
    for member, call, request in (
        ("modelName", create.create_model, {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}),
        ("endpointConfigName", create.create_endpoint_config, {"ProductionVariants": [variant("serving")]}),
        ("endpointName", create.create_endpoint, {"EndpointConfigName": "serving"}),
    ):
        name = member[0].upper() + member[1:]
        constraint = "failed to satisfy constraint: Member must have length less than or equal to 63"
        assert f"Value '{LONG}' at '{member}' {constraint}" in validation_error(
            call, **request, **{name: LONG}
        )
        assert "Member must satisfy regular expression pattern" in validation_error(
            call, **request, **{name: "-a"}
        )


def test_duplicate_names_are_refused(aws):
    message = validation_error(aws.model, name="serving")
    assert message == f'Cannot create already existing model "{ARN}:model/serving".'
    message = validation_error(
        aws.sagemaker.create_endpoint_config,
        EndpointConfigName="serving",
        ProductionVariants=[variant("serving")],
    )
    assert (
        message == f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/serving".'
    )
    message = validation_error(
        aws.sagemaker.create_endpoint, EndpointName="serving", EndpointConfigName="serving"
    )
    assert message == f'Cannot create already existing endpoint "{ARN}:endpoint/serving".'


def test_instance_type_of_a_scalable_target_cannot_change(aws):
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=1)
    try:
        aws.config("serving-larger", variant("serving", kind="ml.m5.xlarge"))
        message = validation_error(
            aws.sagemaker.update_endpoint, EndpointName="serving", EndpointConfigName="serving-larger"
        )
    finally:
        scaling.deregister_scalable_target(**TARGET)
    assert message == (
        "The instance type of variant AllTraffic cannot be changed from ml.m5.large to ml.m5.xlarge while it is "
        "registered as a scalable target: deregister the target, update the endpoint, and register it again."
    )


def test_configuration_in_use_cannot_be_deleted(aws):
    call = aws.sagemaker.delete_endpoint_config
    assert validation_error(call, EndpointConfigName="serving") == (
        f'Cannot delete endpoint configuration "{ARN}:endpoint-config/serving": endpoint "{ARN}:endpoint/serving" '
        "is using it. Update the endpoint to another configuration, or delete it, first."
    )
    aws.config("serving-next", variant("serving"))
    aws.sagemaker.update_endpoint(EndpointName="serving", EndpointConfigName="serving-next")
    for name in ("serving", "serving-next"):  # the deployed one and the pending one
        assert "is using it" in validation_error(call, EndpointConfigName=name)
    aws.stable("serving")
    call(EndpointConfigName="serving")
    aws.sagemaker.delete_endpoint(EndpointName="serving")
    call(EndpointConfigName="serving-next")  # at once: an endpoint that is Deleting uses no configuration
