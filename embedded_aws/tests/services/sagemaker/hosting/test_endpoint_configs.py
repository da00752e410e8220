"""Endpoint configurations."""

import pytest
from botocore.exceptions import ClientError

from hosting_kit import Hosting, validation_error, variant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("configured")
    running.config("described", variant("configured"))
    return running


def test_description_has_the_members_of_the_request(aws):
    described = aws.sagemaker.describe_endpoint_config(EndpointConfigName="described")
    assert described["ProductionVariants"] == [variant("configured")]
    assert not {"DataCaptureConfig", "AsyncInferenceConfig", "KmsKeyId"} & described.keys()


@pytest.mark.parametrize(
    "variants, settings, message",
    [
        (
            [variant("configured", kind="ml.unknown.large")],
            {},
            "productionVariants.1.member.instanceType.*enum value set",
        ),
        ([variant("absent")], {}, "Could not find model"),
        (
            [variant("configured") | {"ManagedInstanceScaling": {"Status": "ENABLED"}}],
            {},
            "does not support ManagedInstanceScaling",
        ),
        ([variant("configured"), variant("configured")], {}, "names must be unique"),
        ([variant("configured", kind="ml.g5.xlarge")], {"KmsKeyId": "alias/key"}, "KmsKeyId.*ml.g5.xlarge"),
        ([variant("configured", kind="ml.m5d.xlarge")], {"KmsKeyId": "alias/key"}, "local instance storage"),
        ([variant("configured", "x" * 64)], {}, "less than or equal to 63"),
    ],
)
def test_invalid_configuration_is_refused(aws, variants, settings, message):
    with pytest.raises(ClientError, match=message) as error:
        aws.config("refused-config", *variants, **settings)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        aws.sagemaker.describe_endpoint_config(EndpointConfigName="refused-config")


def test_kms_key_is_accepted_for_types_without_local_storage(aws):
    aws.config("with-key", variant("configured"), KmsKeyId="alias/key")
    assert aws.sagemaker.describe_endpoint_config(EndpointConfigName="with-key")["KmsKeyId"] == "alias/key"


def test_list_is_paged(aws):
    pages = aws.sagemaker.get_paginator("list_endpoint_configs").paginate(PaginationConfig={"PageSize": 1})
    aws.config("paged", variant("configured"))
    names = [c["EndpointConfigName"] for page in pages for c in page["EndpointConfigs"]]
    assert {"described", "paged"} <= set(names) and len(names) == len(set(names))


@pytest.mark.parametrize("kind", ["ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge", "ml.m5d.large"])
def test_kms_key_is_refused_for_types_with_local_storage(aws, kind):
    message = validation_error(
        aws.sagemaker.create_endpoint_config,
        EndpointConfigName="keyed",
        ProductionVariants=[variant("configured", kind=kind)],
        KmsKeyId="alias/key",
    )
    assert message == (
        f"KmsKeyId cannot be specified for instance type {kind} of production variant AllTraffic: it has local "
        "instance storage, which is encrypted with a hardware module on the instance."
    )
