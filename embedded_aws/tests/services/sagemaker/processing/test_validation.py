"""What CreateProcessingJob refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.processing import validation

REQUEST: dict[str, Any] = {
    "ProcessingJobName": "job",
    "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3"]},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10}
    },
    "ProcessingInputs": [
        {
            "InputName": "in",
            "S3Input": {
                "S3Uri": "s3://bucket/in/",
                "LocalPath": "/opt/ml/processing/input/in",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "out",
                "S3Output": {
                    "S3Uri": "s3://bucket/out/",
                    "LocalPath": "/opt/ml/processing/output/out",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ]
    },
}
S3_INPUT = ("ProcessingInputs", 0, "S3Input")
S3_OUTPUT = ("ProcessingOutputConfig", "Outputs", 0, "S3Output")
CLUSTER = ("ProcessingResources", "ClusterConfig")


def _changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the request with one member changed; None removes it."""
    request = copy.deepcopy(REQUEST)
    *parents, last = path
    found: Any = request
    for part in parents:
        found = found[part]
    if value is None:
        del found[last]
    else:
        found[last] = value
    return request


def test_valid_request_passes() -> None:
    validation.check(REQUEST)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("AppSpecification", "ContainerEntrypoint"), None, "set AppSpecification.ContainerEntrypoint"),
        ((*CLUSTER, "InstancePreferences"), [{"InstanceType": "ml.m5.large"}], "one instance type"),
        ((*CLUSTER, "InstanceType"), None, "ClusterConfig must set InstanceType"),
        ((*S3_INPUT, "S3InputMode"), "Pipe", "input in: the embedded AWS supports S3InputMode File"),
        ((*S3_INPUT, "S3CompressionType"), "Gzip", "only supported with S3InputMode Pipe"),
        ((*S3_INPUT, "LocalPath"), "/opt/ml/input", "must be below /opt/ml/processing/"),
        ((*S3_INPUT, "LocalPath"), "/opt/ml/processing/../model", "must be below /opt/ml/processing/"),
        ((*S3_INPUT, "LocalPath"), None, "must be below /opt/ml/processing/, not ''"),
        ((*S3_INPUT, "LocalPath"), "/opt/ml/processing/output/out/", "LocalPath of each .* must be unique"),
        (S3_INPUT, None, "S3Input is required"),
        (("ProcessingInputs", 0, "AppManaged"), True, "does not support AppManaged"),
        (("ProcessingInputs", 0, "DatasetDefinition"), {}, "does not support DatasetDefinition"),
        (("ProcessingInputs",), REQUEST["ProcessingInputs"] * 2, "input names must be unique: in, in"),
        ((*S3_OUTPUT, "S3UploadMode"), "Continuous", "supports S3UploadMode EndOfJob"),
        ((*S3_OUTPUT[:-1], "FeatureStoreOutput"), {}, "does not support FeatureStoreOutput"),
    ],
)
def test_request_that_cannot_run_is_refused(path: tuple[Any, ...], value: Any, problem: str) -> None:
    with pytest.raises(AWSValidationException, match=problem):
        validation.check(_changed(path, value))
