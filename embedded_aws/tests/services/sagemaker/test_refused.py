"""Operations that moto would only simulate are refused; their List operations return nothing."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.responses import SageMakerResponse

from embedded_aws.services.sagemaker.refused import REFUSED
from embedded_aws.services.sagemaker.responses import EmbeddedSageMakerResponse
from requests_kit import minimal_value

# Kinds of resources that run nothing: moto's records are enough.
RECORDS = {
    "Domain",
    "Experiment",
    "ModelCard",
    "NotebookInstance",
    "NotebookInstanceLifecycleConfig",
    "Trial",
    "TrialComponent",
}


def test_every_create_operation_of_moto_is_ours_or_a_record_or_refused(embedded_aws) -> None:
    client = embedded_aws.client("sagemaker")
    unknown = []
    for operation in client.meta.service_model.operation_names:
        method = camelcase_to_underscores(operation)
        if not operation.startswith(("Create", "Start")) or not hasattr(SageMakerResponse, method):
            continue
        ours = getattr(EmbeddedSageMakerResponse, method) is not getattr(SageMakerResponse, method)
        if not ours and operation.removeprefix("Create").removeprefix("Start") not in RECORDS:
            unknown.append(operation)
    assert unknown == []


@pytest.mark.slow
@pytest.mark.parametrize("operation", REFUSED)
def test_unsupported_operation_is_refused_with_awss_error(embedded_aws, operation: str) -> None:
    client = embedded_aws.client("sagemaker")
    parameters = minimal_value(client.meta.service_model.operation_model(operation).input_shape)
    method = {name: python for python, name in client.meta.method_to_api_mapping.items()}[operation]
    with pytest.raises(ClientError, match="The embedded AWS does not support this") as refused:
        getattr(client, method)(**parameters)
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.slow
def test_list_of_a_refused_kind_is_empty(embedded_aws) -> None:
    client = embedded_aws.client("sagemaker")
    assert client.list_transform_jobs()["TransformJobSummaries"] == []
    assert client.list_pipelines()["PipelineSummaries"] == []
