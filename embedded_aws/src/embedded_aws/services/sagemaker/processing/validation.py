"""Checks CreateProcessingJob requests beyond the constraints of the API model."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.processing.disk import FOLDER
from embedded_aws.services.sagemaker.training.validation import check_resources


def check(request: dict[str, Any]) -> None:
    """Raise ValidationException for an invalid request, or one that the embedded AWS does not support."""
    application = request["AppSpecification"]
    if not application.get("ContainerEntrypoint"):
        raise AWSValidationException(
            f"The embedded AWS cannot run the image {application['ImageUri']} by its own entrypoint: set "
            "AppSpecification.ContainerEntrypoint to the command of the program."
        )
    cluster = request["ProcessingResources"]["ClusterConfig"]
    if cluster.get("InstancePreferences"):
        raise AWSValidationException(
            "The embedded AWS runs clusters of one instance type: set InstanceType and InstanceCount, not "
            "InstancePreferences."
        )
    check_resources(cluster, "ProcessingResources.ClusterConfig")
    inputs = request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    _check_unique("input", [one["InputName"] for one in inputs])
    _check_unique("output", [one["OutputName"] for one in outputs])
    for one in inputs:
        _check_input(one)
    for one in outputs:
        _check_output(one)
    _check_folders([_path(one, "S3Input") for one in inputs] + [_path(one, "S3Output") for one in outputs])


def _check_input(one: dict[str, Any]) -> None:
    what = f"Processing input {one['InputName']}"
    _check_source(one, what, "S3Input", "DatasetDefinition")
    source = one["S3Input"]
    if source.get("S3InputMode", "File") != "File":
        raise AWSValidationException(f"{what}: the embedded AWS supports S3InputMode File, not Pipe.")
    if source.get("S3CompressionType", "None") != "None":
        raise AWSValidationException(
            f"{what}: S3CompressionType Gzip is only supported with S3InputMode Pipe."
        )


def _check_output(one: dict[str, Any]) -> None:
    what = f"Processing output {one['OutputName']}"
    _check_source(one, what, "S3Output", "FeatureStoreOutput")
    if one["S3Output"]["S3UploadMode"] != "EndOfJob":
        raise AWSValidationException(
            f"{what}: the embedded AWS supports S3UploadMode EndOfJob, not Continuous."
        )


def _check_source(one: dict[str, Any], what: str, member: str, other: str) -> None:
    """Check what an input and an output have in common. member: of S3. other: one that is not supported."""
    if one.get("AppManaged"):
        raise AWSValidationException(f"{what}: the embedded AWS does not support AppManaged: leave it out.")
    if other in one:
        raise AWSValidationException(f"{what}: the embedded AWS does not support {other}: use {member}.")
    if member not in one:
        raise AWSValidationException(f"{what}: {member} is required.")
    path = _path(one, member)
    if not path.startswith(f"{FOLDER}/") or ".." in path.split("/"):
        raise AWSValidationException(f"{what}: LocalPath must be below {FOLDER}/, not {path!r}.")


def _path(one: dict[str, Any], member: str) -> str:
    path: str = one[member].get("LocalPath", "")
    return path.rstrip("/")


def _check_unique(kind: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise AWSValidationException(f"Processing {kind} names must be unique: {', '.join(names)}")


def _check_folders(paths: list[str]) -> None:
    if len(set(paths)) < len(paths):
        raise AWSValidationException(
            f"The LocalPath of each processing input and output must be unique: {', '.join(paths)}"
        )
