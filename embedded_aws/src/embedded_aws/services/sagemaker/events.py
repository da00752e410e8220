"""SageMaker's events for EventBridge. Details are mostly those of Describe operations, with times in milliseconds.

https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.services.events import bus

SOURCE = "aws.sagemaker"
TRAINING = (
    "TrainingJobName",
    "TrainingJobArn",
    "TuningJobArn",
    "ModelArtifacts",
    "TrainingJobStatus",
    "SecondaryStatus",
    "FailureReason",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "SecondaryStatusTransitions",
    "FinalMetricDataList",
)
PROCESSING = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingJobArn",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
    "ProcessingJobStatus",
    "ExitMessage",
    "FailureReason",
    "CreationTime",
    "ProcessingStartTime",
    "ProcessingEndTime",
    "LastModifiedTime",
)
TUNING = (
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobArn",
    "HyperParameterTuningJobConfig",
    "TrainingJobDefinition",
    "HyperParameterTuningJobStatus",
    "CreationTime",
    "HyperParameterTuningEndTime",
    "LastModifiedTime",
    "TrainingJobStatusCounters",
    "ObjectiveStatusCounters",
    "BestTrainingJob",
    "FailureReason",
)
ENDPOINT = (
    "EndpointName",
    "EndpointArn",
    "EndpointConfigName",
    "EndpointStatus",
    "FailureReason",
    "CreationTime",
    "LastModifiedTime",
)


def training_job(job: Any) -> None:
    """Emit the state of a training job. job: its record."""
    if bus.rules(job.region):
        detail = _picked(job.describe(), TRAINING) | {"Tags": _tags(job.region, job.arn)}
        _emit(job.region, "Training Job", job.arn, detail)


def processing_job(job: Any) -> None:
    """Emit the state of a processing job. job: its record."""
    if bus.rules(job.region):
        detail = _picked(job.describe(), PROCESSING) | {"Tags": _tags(job.region, job.arn)}
        _emit(job.region, "Processing Job", job.arn, detail)


def tuning_job(job: Any) -> None:
    """Emit the state of a tuning job. job: its record."""
    if bus.rules(job.region):
        described = _backend(job.region).describe_tuning(job)
        detail = _picked(described, TUNING) | {"Tags": _tags(job.region, job.arn)}
        _emit(job.region, "HyperParameter Tuning Job", job.arn, detail)


def endpoint(record: dict[str, Any]) -> None:
    """Emit the state of an endpoint."""
    region = record["EndpointArn"].split(":")[3]
    if not bus.rules(region):
        return
    variants = (record.get("Deployed") or record.get("Pending") or {}).get("Variants", [])
    detail = _picked(record, ENDPOINT) | {
        # Events have IN_SERVICE where DescribeEndpoint has InService.
        "EndpointStatus": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", record["EndpointStatus"]).upper(),
        "ProductionVariants": [
            _picked(variant, ("VariantName", "DesiredWeight", "DesiredInstanceCount")) for variant in variants
        ],
        "Tags": _tags(region, record["EndpointArn"]),
    }
    _emit(region, "Endpoint", record["EndpointArn"], detail)


def model_package(region: str, record: dict[str, Any], updated: list[str]) -> None:
    """Emit the state of a model package.

    record: the answer of DescribeModelPackage.
    updated: names of the changed members; empty for a new package.
    """
    if not bus.rules(region):
        return
    fields = {"UpdatedModelPackageFields": updated} if updated else {}
    detail = json.loads(json.dumps(record | fields, default=_second))
    _emit(region, "Model Package", record["ModelPackageArn"], detail)


def _emit(region: str, resource: str, arn: str, detail: dict[str, Any]) -> None:
    bus.emit(region, SOURCE, f"SageMaker {resource} State Change", [arn], detail)


def _picked(record: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    members = {name: record[name] for name in names if name in record}
    detail: dict[str, Any] = json.loads(json.dumps(members, default=_millisecond))
    return detail


def _millisecond(value: datetime) -> int:
    return int(value.timestamp() * 1000)


def _second(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(region: str, arn: str) -> dict[str, str]:
    return dict(_backend(region).resource_tags.get(arn, {}))


def _backend(region: str) -> Any:
    return sagemaker_backends[ACCOUNT_ID][region]
