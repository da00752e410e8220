"""SageMaker calls: resources and condition keys where the service authorization reference is not enough."""

from __future__ import annotations

from typing import Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call


def resources(call: Call) -> list[str] | None:
    """Return the ARNs of a call; None: use the reference.

    Calls name model packages by ARN, by name, or by the group of the next version. An application of a space has the
    space's name in its ARN in place of a user's.
    """
    if call.operation.endswith("App") and call.parameter("SpaceName"):
        parts = (call.parameter(name) for name in ("DomainId", "SpaceName", "AppType", "AppName"))
        return [_arn(call, "/".join(["app", *(part or "*" for part in parts)]))]
    group, package = call.parameter("ModelPackageGroupName"), call.parameter("ModelPackageName")
    if call.operation == "CreateModelPackage" and group:
        group = group.rsplit("/", 1)[-1]
        kinds = (f"model-package-group/{group}", f"model-package/{group}/*")
        return [_arn(call, kind) for kind in kinds]
    if call.operation == "ListModelPackages":
        return [_arn(call, f"model-package-group/{group.rsplit('/', 1)[-1]}")] if group else []
    if package and not package.startswith("arn:"):
        return [_arn(call, f"model-package/{package}")]
    return None


def keys(call: Call) -> dict[str, Any]:
    """Return SageMaker's condition keys of a call. Keys that it does not have are None or empty."""
    job = call.parameter("TrainingJobDefinition") or call.parameters
    processing = (call.parameter("ProcessingResources") or {}).get("ClusterConfig") or {}
    network = (
        job.get("NetworkConfig") or job
    )  # of a processing job; other requests have its members themselves
    config = job.get("ResourceConfig") or processing
    vpc = network.get("VpcConfig") or {}
    variants = call.parameter("ProductionVariants") or []
    types = [v.get("InstanceType") for v in variants] + [
        config.get("InstanceType"),
        call.parameter("InstanceType"),
        (call.parameter("ResourceSpec") or {}).get("InstanceType"),
    ]
    runtime = (job.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    isolation = network.get("EnableNetworkIsolation")
    output = job.get("OutputDataConfig") or job.get("ProcessingOutputConfig") or {}
    return {
        "sagemaker:instancetypes": [t for t in types if t],
        "sagemaker:volumekmskey": config.get("VolumeKmsKeyId") or call.parameter("KmsKeyId"),
        "sagemaker:outputkmskey": output.get("KmsKeyId"),
        "sagemaker:vpcsubnets": vpc.get("Subnets", []),
        "sagemaker:vpcsecuritygroupids": vpc.get("SecurityGroupIds", []),
        "sagemaker:maxruntimeinseconds": None if runtime is None else str(runtime),
        "sagemaker:networkisolation": None if isolation is None else str(isolation).lower(),
        "sagemaker:intercontainertrafficencryption": _flag(
            network.get("EnableInterContainerTrafficEncryption")
        ),
        "sagemaker:modelapprovalstatus": call.parameter("ModelApprovalStatus"),
        "sagemaker:targetmodel": call.parameter("TargetModel"),
        "sagemaker:taggingaction": call.operation if call.operation.startswith("Create") else None,
    }


def _flag(value: Any) -> str | None:
    return None if value is None else str(value).lower()


def _arn(call: Call, resource: str) -> str:
    return f"arn:aws:sagemaker:{call.region}:{ACCOUNT_ID}:{resource}"
