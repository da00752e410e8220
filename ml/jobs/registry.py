"""The model registry: versions with their metrics and lineage, approval, lookup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ml.jobs import job_inputs as program
from ml.runner.registration import APPROVED, PENDING, meets_minimum, with_results
from ops.aws import client
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.settings import Settings

# The serving container declares these (ml/container/serving_interface.py), and a test compares both: operators' code does
# not import the container.
SERVING_ENVIRONMENT = {"SM_RAYSERVE_APP": "app:app"}
CONTENT_TYPES = ["image/png", "image/jpeg", "image/webp", "application/x-image"]
RESPONSE_TYPES = ["application/json"]


@dataclass(frozen=True)
class Version:
    """A version in the model package group. lineage: data hash, git commit, jobs, architecture, metrics as text."""

    number: int
    arn: str
    approval: str
    created: datetime
    lineage: dict[str, str]


def request(
    settings: Settings, foundation: Foundation, *, training_job: str, artifact: str, lineage: dict[str, str]
) -> dict[str, Any]:
    """CreateModelPackage's request for a training job's artifact, but for what only the trained model tells.

    Its metrics are expected at training/<training_job>/metrics.json in the bucket.
    """
    return {
        "ModelPackageGroupName": foundation.model_package_group_name,
        "ModelPackageDescription": f"{lineage['architecture']} trained by {training_job}",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": program.serving_image(settings),
                    "ModelDataUrl": artifact,
                    "Environment": SERVING_ENVIRONMENT,
                }
            ],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": RESPONSE_TYPES,
        },
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": f"s3://{foundation.bucket}/training/{training_job}/metrics.json",
                }
            }
        },
        "CustomerMetadataProperties": lineage,
    }


def register(
    settings: Settings,
    foundation: Foundation,
    *,
    training_job: str,
    artifact: str,
    metrics: dict[str, float],
    lineage: dict[str, str],
    took: dict[str, str],
) -> Version:
    """Register a training job's artifact, once. Approved if its test accuracy reaches the environment's minimum.

    A version that waits for its approval gets it when the minimum has been lowered since; none loses its own.
    took: machines and seconds, kept beside the lineage.
    """
    minimum = settings.training.minimum_accuracy
    good = meets_minimum(metrics, minimum)
    for version in versions(settings, foundation):
        if version.lineage.get("training_job") == training_job:
            if good and version.approval == PENDING:
                client("sagemaker", settings.region).update_model_package(
                    ModelPackageArn=version.arn,
                    ModelApprovalStatus=APPROVED,
                    ApprovalDescription=f"Its test accuracy {metrics['test:accuracy']:.4f} reaches the minimum of {minimum}",
                )
                return _version(settings, version.arn)
            return version
    key = f"training/{training_job}/metrics.json"
    client("s3", settings.region).put_object(
        Bucket=foundation.bucket,
        Key=key,
        Body=json.dumps(metrics, indent=2, sort_keys=True).encode(),
        ContentType="application/json",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=foundation.kms_key_arn,
    )
    # Not through the SDK: its ModelPackage.create looks for a name in AWS's answer, which has only the ARN.
    wanted = request(settings, foundation, training_job=training_job, artifact=artifact, lineage=lineage)
    package = client("sagemaker", settings.region).create_model_package(
        **with_results(wanted, metrics, minimum, took)
    )
    return _version(settings, package["ModelPackageArn"])


def versions(settings: Settings, foundation: Foundation) -> list[Version]:
    """All versions, newest first."""
    pages = client("sagemaker", settings.region).get_paginator("list_model_packages")
    found = [
        _version(settings, summary["ModelPackageArn"])
        for page in pages.paginate(ModelPackageGroupName=foundation.model_package_group_name)
        for summary in page["ModelPackageSummaryList"]
    ]
    return sorted(found, key=lambda v: -v.number)


def choose(settings: Settings, foundation: Foundation, number: int | None) -> Version:
    """The version `number`, or the newest approved one. Raises OperatorError if there is none such."""
    found = versions(settings, foundation)
    flag = settings.flag
    if not found:
        raise OperatorError(f"No model is registered yet: run ./inv train{flag}.")
    if number is not None:
        chosen = next((v for v in found if v.number == number), None)
        if chosen is None:
            there = ", ".join(str(v.number) for v in reversed(found))
            raise OperatorError(
                f"There is no model version {number}: there are {there} (./inv models{flag})."
            )
        return chosen
    approved = next((v for v in found if v.approval == APPROVED), None)
    if approved is None:
        raise OperatorError(
            f"None of the {len(found)} model versions is approved: name one with --model N to deploy it all the same, "
            f"or train a better one (./inv models{flag} shows their accuracy)."
        )
    return approved


def _version(settings: Settings, arn: str) -> Version:
    package = client("sagemaker", settings.region).describe_model_package(ModelPackageName=arn)
    return Version(
        number=package["ModelPackageVersion"],
        arn=package["ModelPackageArn"],
        approval=package["ModelApprovalStatus"],
        created=package["CreationTime"],
        lineage=package.get("CustomerMetadataProperties", {}),
    )
