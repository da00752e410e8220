"""Checks CreateTrainingJob requests beyond the constraints of the API model."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.storage import has_local_storage
from embedded_aws.services.sagemaker.training import channels, containers
from embedded_aws.services.sagemaker.training.addresses import LARGEST_CLUSTER
from embedded_aws.services.sagemaker.training.disk import BASE
from embedded_aws.services.sagemaker.training.metrics import MetricReader
from embedded_aws.services.sagemaker.training.records import DEFAULT_MAX_RUNTIME

DEFAULT_CHECKPOINTS = f"{BASE}/checkpoints"


def check(request: dict[str, Any]) -> None:
    """Raise ValidationException for an invalid request, or one that the embedded AWS does not support."""
    for member in ("AlgorithmSpecification", "RoleArn", "OutputDataConfig", "ResourceConfig"):
        if member not in request:
            raise AWSValidationException(f"{member} is required.")
    if "ServerlessJobConfig" in request:
        raise AWSValidationException("The embedded AWS does not run serverless model customization jobs.")
    for member in ("DebugRuleConfigurations", "ProfilerRuleConfigurations", "TensorBoardOutputConfig"):
        if request.get(member):
            raise AWSValidationException(f"The embedded AWS does not support {member}: leave it out.")
    if request.get("RemoteDebugConfig", {}).get("EnableRemoteDebug"):
        raise AWSValidationException("The embedded AWS has no remote debugging: leave RemoteDebugConfig out.")
    algorithm = request["AlgorithmSpecification"]
    containers.check(algorithm)
    channels.check(request.get("InputDataConfig", []))
    MetricReader(algorithm.get("MetricDefinitions", []))
    check_resources(request["ResourceConfig"])
    if request.get("EnableManagedSpotTraining") and "KeepAlivePeriodInSeconds" in request["ResourceConfig"]:
        raise AWSValidationException("KeepAlivePeriodInSeconds is not supported with managed spot training.")
    check_stopping(request.get("StoppingCondition", {}), request.get("EnableManagedSpotTraining", False))
    local_path = request.get("CheckpointConfig", {}).get("LocalPath", DEFAULT_CHECKPOINTS)
    if not local_path.startswith(BASE + "/"):
        raise AWSValidationException(
            f"CheckpointConfig.LocalPath must be below {BASE} on the embedded AWS, not {local_path}."
        )


def check_resources(resources: dict[str, Any], member: str = "ResourceConfig") -> None:
    """Check the cluster: one instance type, at least one instance, no volume key for local storage.

    member: of the request, for messages.
    """
    if resources.get("InstanceGroups"):
        raise AWSValidationException(
            "The embedded AWS runs clusters of one instance type: set InstanceType and InstanceCount, not InstanceGroups."
        )
    if "InstanceType" not in resources or "InstanceCount" not in resources:
        raise AWSValidationException(f"{member} must set InstanceType and InstanceCount.")
    if not 1 <= resources["InstanceCount"] <= LARGEST_CLUSTER:
        raise AWSValidationException(
            f"Invalid InstanceCount {resources['InstanceCount']}. It must be between 1 and {LARGEST_CLUSTER}."
        )
    kind = resources["InstanceType"]
    if resources.get("VolumeKmsKeyId") and has_local_storage(kind):
        raise AWSValidationException(
            f"VolumeKmsKeyId is not supported for instance type {kind}: it has local instance storage, which is "
            "encrypted with a hardware module on the instance."
        )


def check_stopping(condition: dict[str, Any], spot: bool) -> None:
    """Check the wait time: for spot training at least the run time, otherwise none."""
    wait = condition.get("MaxWaitTimeInSeconds")
    run = condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME)
    if spot and (wait is None or wait < run):
        raise AWSValidationException(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if wait is not None and not spot:
        raise AWSValidationException(
            "MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is not set to true."
        )
