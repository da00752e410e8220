"""What SageMaker refuses of hosting, with its codes and words."""

import pytest
from botocore.exceptions import ClientError

from hosting_kit import IMAGE, ROLE, Hosting, variant

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
LONG = "x" * 64
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/refusing/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("refusing")
    running.config("refusing", variant("refusing"))
    running.endpoint("refusing", "refusing")
    return running


def refusal(call, **request) -> str:
    """The message of the ValidationException that the call ends with."""
    with pytest.raises(ClientError) as error:
        call(**request)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error.value.response["Error"]["Message"]


def test_names_have_at_most_63_characters(aws):
    create = aws.sagemaker
    container = {"Image": IMAGE, "ModelDataUrl": "s3://hosting-models/model.tar.gz"}
    for member, call, request in (
        ("modelName", create.create_model, {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}),
        ("endpointConfigName", create.create_endpoint_config, {"ProductionVariants": [variant("refusing")]}),
        ("endpointName", create.create_endpoint, {"EndpointConfigName": "refusing"}),
    ):
        name = member[0].upper() + member[1:]
        constraint = "failed to satisfy constraint: Member must have length less than or equal to 63"
        assert f"Value '{LONG}' at '{member}' {constraint}" in refusal(call, **request, **{name: LONG})
        assert "Member must satisfy regular expression pattern" in refusal(call, **request, **{name: "-a"})


def test_names_in_use_are_refused(aws):
    message = refusal(aws.model, name="refusing")
    assert message == f'Cannot create already existing model "{ARN}:model/refusing".'
    message = refusal(
        aws.sagemaker.create_endpoint_config,
        EndpointConfigName="refusing",
        ProductionVariants=[variant("refusing")],
    )
    assert (
        message == f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/refusing".'
    )
    message = refusal(aws.sagemaker.create_endpoint, EndpointName="refusing", EndpointConfigName="refusing")
    assert message == f'Cannot create already existing endpoint "{ARN}:endpoint/refusing".'


@pytest.mark.parametrize("kind", ["ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge", "ml.m5d.large"])
def test_a_key_for_an_instance_with_disks_of_its_own_is_refused(aws, kind):
    message = refusal(
        aws.sagemaker.create_endpoint_config,
        EndpointConfigName="keyed",
        ProductionVariants=[variant("refusing", kind=kind)],
        KmsKeyId="alias/key",
    )
    assert message == (
        f"KmsKeyId cannot be specified for instance type {kind} of production variant AllTraffic: it has local "
        "instance storage, which is encrypted with a hardware module on the instance."
    )


def test_another_instance_type_of_a_registered_variant_is_refused(aws):
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=1)
    try:
        aws.config("refusing-larger", variant("refusing", kind="ml.m5.xlarge"))
        message = refusal(
            aws.sagemaker.update_endpoint, EndpointName="refusing", EndpointConfigName="refusing-larger"
        )
    finally:
        scaling.deregister_scalable_target(**TARGET)
    assert message == (
        "The instance type of variant AllTraffic cannot be changed from ml.m5.large to ml.m5.xlarge while it is "
        "registered as a scalable target: deregister the target, update the endpoint, and register it again."
    )


def test_a_configuration_in_use_is_not_deleted(aws):
    call = aws.sagemaker.delete_endpoint_config
    assert refusal(call, EndpointConfigName="refusing") == (
        f'Cannot delete endpoint configuration "{ARN}:endpoint-config/refusing": endpoint "{ARN}:endpoint/refusing" '
        "is using it. Update the endpoint to another configuration, or delete it, first."
    )
    aws.config("refusing-next", variant("refusing"))
    aws.sagemaker.update_endpoint(EndpointName="refusing", EndpointConfigName="refusing-next")
    for name in ("refusing", "refusing-next"):  # what serves, and what is being deployed
        assert "is using it" in refusal(call, EndpointConfigName=name)
    aws.settled("refusing")
    call(EndpointConfigName="refusing")
    aws.sagemaker.delete_endpoint(EndpointName="refusing")
    call(EndpointConfigName="refusing-next")  # at once: an endpoint that is Deleting serves nothing
