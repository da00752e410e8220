"""The model registry: versions with metrics and lineage, their approval, their lookup."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from ml.container import serving_interface
from ml.jobs import job_inputs
from ml.runner import model_card, results
from ml.runner.registration import APPROVED, PENDING, meets_minimum, with_results
from ops import s3
from ops.aws import is_missing
from ops.environment import Environment
from ops.errors import OperatorError, Refused

REJECTED = "Rejected"
DESCRIPTION_CHARACTERS = 1024  # SageMaker's limit for the reason of an approval


@dataclass(frozen=True)
class Version:
    """A version in the model package group.

    lineage: data set, its hash and classes, git commit, jobs, architecture and metrics, as text.
    because: why it was approved or rejected, by whom and when; empty if nobody decided.
    artifact: s3:// URI of its model.tar.gz.
    """

    number: int
    arn: str
    approval: str
    created: datetime
    lineage: dict[str, str]
    because: str = ""
    artifact: str = ""

    @property
    def is_approved(self) -> bool:
        """Whether SageMaker deploys it."""
        return self.approval == APPROVED

    @property
    def is_rejected(self) -> bool:
        """Whether a person has decided against it."""
        return self.approval == REJECTED

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the test split, 0 to 1; None if it was not measured."""
        try:
            return float(self.lineage["test_accuracy"])
        except (KeyError, ValueError):
            return None


def request(
    env: Environment,
    *,
    training_job: str,
    artifact: str,
    lineage: dict[str, str],
    hyperparameters: dict[str, str],
) -> dict[str, Any]:
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
                    "Environment": serving_interface.ENVIRONMENT,
                }
            ],
            "SupportedContentTypes": list(serving_interface.CONTENT_TYPES),
            "SupportedResponseMIMETypes": list(serving_interface.RESPONSE_TYPES),
        },
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": str(s3.in_data_bucket(env, _metrics_key(training_job))),
                }
            }
        },
        "ModelCard": _card(env, artifact, lineage, hyperparameters),
        "CustomerMetadataProperties": lineage,
    }


def _card(
    env: Environment, artifact: str, lineage: dict[str, str], hyperparameters: dict[str, str]
) -> dict[str, Any]:
    """Return the model card, without metrics."""
    texts = env.settings.model_card
    image = job_inputs.training_image(env.settings)
    training: dict[str, Any] = {"training_environment": {"container_image": [image]}}
    if dataset := lineage.get("dataset"):
        training["training_datasets"] = [str(s3.in_data_bucket(env, f"datasets/{dataset}/train/"))]
    return model_card.card(
        creator=texts.owner,
        artifact=artifact,
        uses={
            "purpose_of_model": texts.purpose,
            "intended_uses": texts.intended_uses,
            "risk_rating": texts.risk_rating,
        },
        caveats=texts.limits,
        ethics=texts.ethical_considerations,
        training=training,
        hyperparameters=hyperparameters,
        details=lineage,
    )


def register(
    env: Environment,
    *,
    training_job: str,
    artifact: str,
    metrics: dict[str, float],
    lineage: dict[str, str],
    hyperparameters: dict[str, str],
    run_stats: dict[str, str],
) -> Version:
    """Register a training job's artifact, once. Approve it if its test accuracy reaches the environment's minimum.

    A version that waits for approval is approved if the minimum has been lowered since. No version loses its approval.

    hyperparameters: arguments of the training program, for the model card.
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
    evaluation = _store_results(env, training_job, artifact)
    # Not by the SDK: its ModelPackage.create expects a name in AWS's answer, which only has the ARN.
    wanted = request(
        env, training_job=training_job, artifact=artifact, lineage=lineage, hyperparameters=hyperparameters
    )
    package = env.client("sagemaker").create_model_package(
        **with_results(wanted, metrics, minimum, run_stats, evaluation)
    )
    return _first_of_job(env, training_job, package["ModelPackageArn"])


def _store_results(env: Environment, training_job: str, artifact: str) -> dict[str, Any] | None:
    """Store the evaluation, the history and the model card next to the job's metrics, where they need no unpacking.

    Returns the content of evaluation.json; None for a job without output. Raises OperatorError for a damaged archive.
    """
    uri = s3.S3Uri.parse(f"{artifact.rpartition('/')[0]}/output.tar.gz")
    archive = s3.get(env, uri)
    if archive is None:
        return None
    try:
        files = results.of_archive(io.BytesIO(archive))
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        flag = env.settings.flag
        raise OperatorError(
            f"{uri} is not the output of a training ({error}): run ./inv train{flag} --again."
        ) from error
    for name, content in files.items():
        s3.put(env, f"training/{training_job}/{name}", content, ContentType=results.content_type(name))
    return results.evaluation(files)


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
    """Return all versions, newest first. Raises Refused if there is none."""
    found = versions(env)
    if not found:
        raise Refused(f"No model is registered yet: run ./inv train{env.settings.flag}.")
    return found


def find(env: Environment, number: int) -> Version:
    """Return version `number`. Raises Refused if there is none."""
    found = registered(env)
    for version in found:
        if version.number == number:
            return version
    existing = ", ".join(str(v.number) for v in reversed(found))
    raise Refused(
        f"There is no model version {number}: choose one of {existing} (./inv models{env.settings.flag} shows them)."
    )


def approved(env: Environment) -> list[Version]:
    """Return the approved versions, newest first. Raises Refused if there is none."""
    found = registered(env)
    usable = [version for version in found if version.is_approved]
    if not usable:
        flag = env.settings.flag
        raise Refused(
            f"None of the {len(found)} model versions is approved: look at their accuracy with ./inv models{flag}, then "
            f'approve one with ./inv models{flag} --approve {found[0].number} --because "…", or train a better one.'
        )
    return usable


def choose(env: Environment, number: int | None) -> Version:
    """Return version `number`, or the newest approved one. Raises Refused if there is no such version."""
    return approved(env)[0] if number is None else find(env, number)


def of_package(env: Environment, arn: str) -> Version | None:
    """Return the version of a model package; None if it is no longer registered."""
    try:
        return _version(env, arn)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def decide(env: Environment, version: Version, *, approve: bool, because: str) -> Version:
    """Approve or reject a version, with the reason, the caller's ARN and the time, and return it."""
    approval = APPROVED if approve else REJECTED
    caller = env.client("sts").get_caller_identity()["Arn"]
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    signature = f" ({approval} by {caller}, {moment})"
    env.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn,
        ModelApprovalStatus=approval,
        ApprovalDescription=f"{' '.join(because.split())[: DESCRIPTION_CHARACTERS - len(signature)]}{signature}",
    )
    return _version(env, version.arn)


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
        because=package.get("ApprovalDescription", ""),
        artifact=package.get("InferenceSpecification", {}).get("Containers", [{}])[0].get("ModelDataUrl", ""),
    )
