"""Leaving nothing behind: what Terraform does not own, and a sweep that looks for leftovers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError, WaiterError

from ml.jobs import running as jobs
from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings
from ops.terraform.stacks import ACCESS_PATH, access_key, data_bucket, deployed, state_bucket
from pipeline.workbench import studio

ON_DEMAND = {"training_host": "./inv ec2.down", "workbench": "./inv workbench.down"}
"""Stacks that are made on demand, and the task that removes each."""


@dataclass(frozen=True)
class Leftover:
    """Something that still exists. billable: whether it costs money while it lies there."""

    kind: str
    name: str
    billable: bool


def check_foundation(settings: Settings, going: list[str]) -> None:
    """Raise OperatorError unless the foundation may go once the stacks `going` have gone: before anything does.

    going: endpoints by name, and `training_host` or `workbench`.
    """
    stand = [name.removeprefix("serving/") for name in deployed(settings) if name != "foundation"]
    if stays := [name for name in stand if name not in going]:
        flag = settings.flag
        first = (
            [f"./inv destroy{flag} --stack serving --endpoint NAME"] if set(stays) - set(ON_DEMAND) else []
        )
        first += [f"{ON_DEMAND[name]}{flag}" for name in stays if name in ON_DEMAND]
        raise OperatorError(
            f"The foundation of {settings.environment} carries {', '.join(stays)}: run ./inv down{flag} to remove "
            f"everything, or first {' and '.join(first)}."
        )
    if not settings.storage.force_destroy and _holds_anything(settings):
        raise OperatorError(
            f"The bucket {data_bucket(settings)} holds data and models, and environments/{settings.environment}.toml "
            "keeps them: set force_destroy = true under [storage] and run the same command again to delete them."
        )


def check_access(settings: Settings) -> None:
    """Raise OperatorError while other stacks stand: their roles are made within the boundary of stack access."""
    if stays := deployed(settings):
        raise OperatorError(
            f"The boundary of stack access holds the roles of {', '.join(stays)}: run ./inv down{settings.flag} first."
        )


def wait_for_endpoint(settings: Settings, endpoint: str) -> None:
    """Wait until an endpoint that is being deleted is gone, which Terraform does not; until then it bills."""
    waiter = client("sagemaker", settings.region).get_waiter("endpoint_deleted")
    try:
        waiter.wait(EndpointName=endpoint, WaiterConfig={"Delay": 5, "MaxAttempts": 180})
    except WaiterError as error:
        raise OperatorError(f"The endpoint {endpoint} is not gone after its deletion: {error}") from error


def empty_bucket(settings: Settings) -> None:
    """Delete every object and version in the data bucket.

    Terraform would do it by the force_destroy of its last apply, not by that of the settings.
    """
    try:
        _delete_versions(settings, data_bucket(settings), "")
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise


def delete_models(settings: Settings) -> int:
    """Delete every version in the model package group: a group that has some cannot go. Returns how many."""
    sagemaker = client("sagemaker", settings.region)
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=settings.prefix)
    try:
        arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if error_code(error) in ("ValidationException", "ResourceNotFound"):
            return 0  # no such group
        raise
    for arn in arns:
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(arns)


def delete_states(settings: Settings, access: bool = False) -> None:
    """Delete the environment's states, or that of stack access; and the state bucket with the last of all."""
    bucket = state_bucket(settings)
    try:
        _delete_versions(settings, bucket, access_key(settings) if access else f"{settings.environment}/")
        left = client("s3", settings.region).list_object_versions(Bucket=bucket, MaxKeys=1)
        if not left.get("Versions") and not left.get("DeleteMarkers"):
            client("s3", settings.region).delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise


def sweep(settings: Settings) -> list[Leftover]:
    """Everything of the environment that still exists, found by its name, whoever made it."""
    # image-classifier-dev is neither image-classifier-dev2 nor my-image-classifier-dev; parameters have a path.
    mine = re.compile(
        rf"(?<![a-z0-9-]){re.escape(settings.prefix)}(?![a-z0-9])|^/{settings.project}/{settings.environment}/"
    )
    return [
        Leftover(kind, name, billable)
        for kind, billable, names in _inventory(settings)
        for name in names()
        if mine.search(name)
    ]


def _inventory(settings: Settings) -> Iterator[tuple[str, bool, Callable[[], list[str]]]]:
    region, mine = settings.region, settings.prefix

    def listed(service: str, operation: str, items: str, name: str, **arguments) -> Callable[[], list[str]]:
        def names() -> list[str]:
            pages = client(service, region).get_paginator(operation).paginate(**arguments)
            return [item[name] for page in pages for item in page[items]]

        return names

    yield (
        "endpoint",
        True,
        listed("sagemaker", "list_endpoints", "Endpoints", "EndpointName", NameContains=mine),
    )
    yield "running tuning job", True, lambda: list(jobs.under_way(settings, "tuning"))
    yield "running training job", True, lambda: list(jobs.under_way(settings, "training"))
    yield "instance", True, lambda: _instances(settings)
    yield (
        "notebook instance",
        True,
        listed(
            "sagemaker",
            "list_notebook_instances",
            "NotebookInstances",
            "NotebookInstanceName",
            NameContains=mine,
        ),
    )
    yield "Studio application", True, lambda: _apps(settings)
    yield "Studio domain", False, lambda: [f"{d.name} {d.id}" for d in studio.domains(settings)]
    yield "file system of Studio", True, lambda: [f"{mine} {fs}" for fs in studio.file_systems(settings)]
    yield (
        "security group of Studio",
        False,
        lambda: [f"{mine} {g['GroupName']} {g['GroupId']}" for g in studio.security_groups(settings)],
    )
    # What a network bills for, by its tags or its VPC: AWS gives it no name.
    yield "VPC endpoint", True, lambda: _parts(settings, "vpc_endpoints", "VpcEndpointId")
    yield "NAT gateway", True, lambda: _parts(settings, "nat_gateways", "NatGatewayId", in_vpc=True)
    yield "Elastic IP address", True, lambda: _parts(settings, "addresses", "AllocationId")
    yield "VPC", False, lambda: _parts(settings, "vpcs", "VpcId")
    yield "bucket", True, lambda: [b["Name"] for b in client("s3", region).list_buckets()["Buckets"]]
    yield "KMS key", True, lambda: _enabled_keys(settings)
    yield "log group", True, listed("logs", "describe_log_groups", "logGroups", "logGroupName")
    yield "alarm", True, listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName")
    yield "function", False, listed("lambda", "list_functions", "Functions", "FunctionName")
    yield (
        "endpoint configuration",
        False,
        listed(
            "sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", NameContains=mine
        ),
    )
    yield "model", False, listed("sagemaker", "list_models", "Models", "ModelName", NameContains=mine)
    yield (
        "model package group",
        False,
        listed(
            "sagemaker",
            "list_model_package_groups",
            "ModelPackageGroupSummaryList",
            "ModelPackageGroupName",
            NameContains=mine,
        ),
    )
    yield (
        "scalable target",
        False,
        listed(
            "application-autoscaling",
            "describe_scalable_targets",
            "ScalableTargets",
            "ResourceId",
            ServiceNamespace="sagemaker",
        ),
    )
    yield "role", False, lambda: _roles(settings)
    yield (
        "parameter",
        False,
        listed(
            "ssm",
            "get_parameters_by_path",
            "Parameters",
            "Name",
            Recursive=True,
            Path=f"/{settings.project}/{settings.environment}",
        ),
    )


def _apps(settings: Settings) -> list[str]:
    """Of the environment's domains, whoever started them."""
    return [
        f"{domain.name} {app.owner[1]}/{app.kind}/{app.name}"
        for domain in studio.domains(settings)
        if domain.name.startswith(f"{settings.prefix}-")
        for app in studio.apps(settings, domain.id)
    ]


def _roles(settings: Settings) -> list[str]:
    """Without those of stack access: they are who removes an environment, and outlive it."""
    pages = client("iam", settings.region).get_paginator("list_roles").paginate()
    return [r["RoleName"] for page in pages for r in page["Roles"] if r["Path"] != ACCESS_PATH]


def _instances(settings: Settings) -> list[str]:
    pages = (
        client("ec2", settings.region)
        .get_paginator("describe_instances")
        .paginate(
            Filters=[
                {"Name": "tag:Project", "Values": [settings.project]},
                {"Name": "tag:Environment", "Values": [settings.environment]},
                {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
            ]
        )
    )
    found = [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
    return [f"{settings.prefix} {instance}" for instance in found]


def _parts(settings: Settings, kind: str, id_name: str, in_vpc: bool = False) -> list[str]:
    """Parts of networks: with the environment's tags, or in a VPC that has them. The few there are fit one answer."""
    filters = [
        {"Name": "tag:Project", "Values": [settings.project]},
        {"Name": "tag:Environment", "Values": [settings.environment]},
    ]
    ec2 = client("ec2", settings.region)
    if in_vpc:
        vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=filters)["Vpcs"]]
        if not vpcs:
            return []
        filters = [{"Name": "vpc-id", "Values": vpcs}]
    answer = getattr(ec2, f"describe_{kind}")(Filters=filters)
    found = answer["".join(word.capitalize() for word in kind.split("_"))]
    gone = ("deleted", "deleting")
    return [f"{settings.prefix} {x[id_name]}" for x in found if x.get("State", "").lower() not in gone]


def _enabled_keys(settings: Settings) -> list[str]:
    """Aliases of keys that are not already waiting for their deletion (those cost nothing)."""
    kms = client("kms", settings.region)
    aliases = [a for page in kms.get_paginator("list_aliases").paginate() for a in page["Aliases"]]
    return [
        a["AliasName"]
        for a in aliases
        if settings.prefix in a["AliasName"]
        and kms.describe_key(KeyId=a["TargetKeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion"
    ]


def _holds_anything(settings: Settings) -> bool:
    try:
        found = client("s3", settings.region).list_object_versions(Bucket=data_bucket(settings), MaxKeys=1)
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return False
        raise
    return bool(found.get("Versions") or found.get("DeleteMarkers"))


def _delete_versions(settings: Settings, bucket: str, prefix: str) -> None:
    s3 = client("s3", settings.region)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if objects := [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
