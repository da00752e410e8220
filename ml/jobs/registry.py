"""The model registry: versions with metrics and lineage, their approval, their lookup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ml.jobs import job_inputs
from ml.runner.registration import APPROVED, PENDING, meets_minimum, with_results
from ops import s3
from ops.environment import Environment
from ops.errors import OperatorError

# The serving container declares these (ml/container/serving_interface.py), and a test compares both: operators' code does
# not import the container.
SERVING_ENVIRONMENT = {"SM_RAYSERVE_APP": "app:app"}
CONTENT_TYPES = [
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/bmp",
    "image/gif",
    "image/tiff",
    "image/x-portable-anymap",
    "image/avif",
    "application/x-image",
]
RESPONSE_TYPES = ["application/json"]


@dataclass(frozen=True)
class Version:
    """A version in the model package group.

    lineage: data hash, git commit, jobs, architecture and metrics, as text.
    """

    number: int
    arn: str
    approval: str
    created: datetime
    lineage: dict[str, str]


def request(env: Environment, *, training_job: str, artifact: str, lineage: dict[str, str]) -> dict[str, Any]:
    """Return the CreateModelPackage request for a job's artifact, without what only the trained model determines.

    Expects the job's metrics at training/<training_job>/metrics.json in the bucket.
    """
    return {
        "ModelPackageGroupName": env.outputs.foundation.model_package_group_name,
        "ModelPackageDescription": f"{lineage['architecture']} trained by {training_job}",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": job_inputs.serving_image(env.settings),
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
                    "S3Uri": str(s3.in_data_bucket(env, _metrics_key(training_job))),
                }
            }
        },
        "CustomerMetadataProperties": lineage,
    }


def register(
    env: Environment,
    *,
    training_job: str,
    artifact: str,
    metrics: dict[str, float],
    lineage: dict[str, str],
    run_stats: dict[str, str],
) -> Version:
    """Register a training job's artifact, once. Approve it if its test accuracy reaches the environment's minimum.

    A version that waits for approval is approved if the minimum has been lowered since. No version loses its approval.

    run_stats: machines and seconds, stored with the lineage.
    """
    minimum = env.settings.training.minimum_accuracy
    if existing := _of_job(env, training_job):
        version = existing[-1]
        if meets_minimum(metrics, minimum) and version.approval == PENDING:
            return _approve(env, version, metrics, minimum)
        return version
    body = json.dumps(metrics, indent=2, sort_keys=True).encode()
    s3.put(env, _metrics_key(training_job), body, ContentType="application/json")
    # Not by the SDK: its ModelPackage.create expects a name in AWS's answer, which only has the ARN.
    wanted = request(env, training_job=training_job, artifact=artifact, lineage=lineage)
    package = env.client("sagemaker").create_model_package(
        **with_results(wanted, metrics, minimum, run_stats)
    )
    return _first_of_job(env, training_job, package["ModelPackageArn"])


def _of_job(env: Environment, training_job: str) -> list[Version]:
    """Return the versions of a training job, newest first. More than one: two commands register it now."""
    return [version for version in versions(env) if version.lineage.get("training_job") == training_job]


def _first_of_job(env: Environment, training_job: str, arn: str) -> Version:
    """Return the version that was just registered, or the one that another command registered in the same moment.

    Of two versions of one training job, the second deletes itself.
    """
    mine = _version(env, arn)
    first = min([mine, *_of_job(env, training_job)], key=lambda version: version.number)
    if first.number != mine.number:
        env.client("sagemaker").delete_model_package(ModelPackageName=arn)
    return first


def versions(env: Environment) -> list[Version]:
    """Return all versions, newest first."""
    group = env.outputs.foundation.model_package_group_name
    pages = env.client("sagemaker").get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    found = [
        _version(env, summary["ModelPackageArn"])
        for page in pages
        for summary in page["ModelPackageSummaryList"]
    ]
    return sorted(found, key=lambda v: -v.number)


def registered(env: Environment) -> list[Version]:
    """Return all versions, newest first. Raises OperatorError if there is none."""
    found = versions(env)
    if not found:
        raise OperatorError(f"No model is registered yet: run ./inv train{env.settings.flag}.")
    return found


def choose(env: Environment, number: int | None) -> Version:
    """Return version `number`, or the newest approved one. Raises OperatorError if there is no such version."""
    found = registered(env)
    flag = env.settings.flag
    if number is not None:
        chosen = next((v for v in found if v.number == number), None)
        if chosen is None:
            existing = ", ".join(str(v.number) for v in reversed(found))
            raise OperatorError(
                f"There is no model version {number}: choose one of {existing} (./inv models{flag} shows them)."
            )
        return chosen
    approved = next((v for v in found if v.approval == APPROVED), None)
    if approved is None:
        raise OperatorError(
            f"None of the {len(found)} model versions is approved: deploy one anyway with --model N, or train a better "
            f"one (./inv models{flag} shows their accuracy)."
        )
    return approved


def _approve(env: Environment, version: Version, metrics: dict[str, float], minimum: float) -> Version:
    env.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn,
        ModelApprovalStatus=APPROVED,
        ApprovalDescription=f"Its test accuracy {metrics['test:accuracy']:.4f} reaches the minimum of {minimum}",
    )
    return _version(env, version.arn)


def _metrics_key(training_job: str) -> str:
    return f"training/{training_job}/metrics.json"


def _version(env: Environment, arn: str) -> Version:
    package = env.client("sagemaker").describe_model_package(ModelPackageName=arn)
    return Version(
        number=package["ModelPackageVersion"],
        arn=package["ModelPackageArn"],
        approval=package["ModelApprovalStatus"],
        created=package["CreationTime"],
        lineage=package.get("CustomerMetadataProperties", {}),
    )
