"""Invalid and unsupported training jobs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from training_kit import Training, channel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(embedded_aws) -> Training:
    return Training(embedded_aws)


REFUSALS = {
    "name": ({"TrainingJobName": "under_score"}, "regular expression pattern"),
    "long name": ({"TrainingJobName": "a" * 64}, "length less than or equal to 63"),
    "instance type": (
        {"ResourceConfig": {"InstanceType": "ml.huge", "InstanceCount": 1, "VolumeSizeInGB": 1}},
        "Value 'ml.huge' at 'resourceConfig.instanceType' failed to satisfy constraint: .* enum value set",
    ),
    "instance count": (
        {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0, "VolumeSizeInGB": 1}},
        "Invalid InstanceCount 0",
    ),
    "no such role": ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role .*nobody"),
    "warm pool of spot instances": (
        {
            "EnableManagedSpotTraining": True,
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
                "KeepAlivePeriodInSeconds": 60,
            },
        },
        "KeepAlivePeriodInSeconds is not supported with managed spot",
    ),
    "debugger rules": (
        {"DebugRuleConfigurations": [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}]},
        "does not support DebugRuleConfigurations",
    ),
    "spot without wait time": (
        {"EnableManagedSpotTraining": True},
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds$",
    ),
    "spot with less wait than run time": (
        {
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 299},
        },
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds$",
    ),
    "wait time without spot": (
        {"StoppingCondition": {"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 300}},
        "MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is not set to true",
    ),
    "key of a volume on local storage": (
        {
            "ResourceConfig": {
                "InstanceType": "ml.r5d.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
                "VolumeKmsKeyId": "k",
            }
        },
        "VolumeKmsKeyId is not supported for instance type ml.r5d.large: it has local instance storage",
    ),
    "image": (
        {"AlgorithmSpecification": {"TrainingImage": "repo/xgboost:1", "TrainingInputMode": "File"}},
        "cannot run the image repo/xgboost:1: it runs AWS's PyTorch training images",
    ),
    "pipe mode": (
        {"AlgorithmSpecification": {"TrainingImage": "pytorch:2", "TrainingInputMode": "Pipe"}},
        "not Pipe",
    ),
    "data type": (
        {"InputDataConfig": [channel("train", "s3://b/x", "AugmentedManifestFile")]},
        "not AugmentedManifestFile",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_invalid_training_job_is_refused(work: Training, case: str) -> None:
    changes, message = REFUSALS[case]
    request = work.request(**changes)
    with pytest.raises(ClientError, match=message) as refused:
        work.sagemaker.create_training_job(**request)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    jobs = work.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    assert request["TrainingJobName"] not in [job["TrainingJobName"] for job in jobs]
