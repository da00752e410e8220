"""Find every resource of an environment that still exists, by its name or tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ml.jobs import running
from ops.environment import Environment
from ops.outputs import parameter
from ops.terraform.stacks import ACCESS_PATH
from pipeline.workbench import studio

Names = Callable[[], list[str]]


@dataclass(frozen=True)
class Leftover:
    """A resource that still exists. billable: whether AWS bills for its existence."""

    kind: str
    name: str
    billable: bool


def find(env: Environment) -> list[Leftover]:
    """Return every resource of the environment that still exists."""
    prefix, path = re.escape(env.settings.prefix), re.escape(parameter(env.settings))
    # image-classifier-dev matches neither image-classifier-dev2 nor my-image-classifier-dev.
    ours = re.compile(rf"(?<![a-z0-9-]){prefix}(?![a-z0-9])|^{path}/")
    return [
        Leftover(kind, name, billable)
        for billable, kinds in ((True, _billed(env)), (False, _free(env)))
        for kind, names in kinds.items()
        for name in names()
        if ours.search(name)
    ]


def _billed(env: Environment) -> dict[str, Names]:
    """Return a function that lists names, for each kind of resource that AWS bills for."""
    prefix = env.settings.prefix
    named = partial(_listed, env, "sagemaker", NameContains=prefix)
    # What AWS gives no name is listed as "<prefix> <id>" if its tags or its VPC are the environment's.
    return {
        "endpoint": named("list_endpoints", "Endpoints", "EndpointName"),
        "running tuning job": lambda: list(running.running(env, "tuning")),
        "running training job": lambda: list(running.running(env, "training")),
        "instance": lambda: _instances(env),
        "notebook instance": named("list_notebook_instances", "NotebookInstances", "NotebookInstanceName"),
        "Studio application": lambda: _apps(env),
        "file system of Studio": lambda: [f"{prefix} {system}" for system in studio.file_systems(env)],
        "VPC endpoint": lambda: _network(env, "vpc_endpoints", "VpcEndpointId"),
        "NAT gateway": lambda: _network(env, "nat_gateways", "NatGatewayId", in_vpc=True),
        "Elastic IP address": lambda: _network(env, "addresses", "AllocationId"),
        "bucket": lambda: [bucket["Name"] for bucket in env.client("s3").list_buckets()["Buckets"]],
        "KMS key": lambda: _enabled_keys(env),
        "log group": _listed(env, "logs", "describe_log_groups", "logGroups", "logGroupName"),
        "alarm": _listed(env, "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    }


def _free(env: Environment) -> dict[str, Names]:
    """Return a function that lists names, for each kind of resource that costs nothing by itself."""
    prefix = env.settings.prefix
    named = partial(_listed, env, "sagemaker", NameContains=prefix)
    return {
        "Studio domain": lambda: [f"{domain.name} {domain.id}" for domain in studio.domains(env)],
        "security group of Studio": lambda: [
            f"{prefix} {group['GroupName']} {group['GroupId']}" for group in studio.security_groups(env)
        ],
        "VPC": lambda: _network(env, "vpcs", "VpcId"),
        "function": _listed(env, "lambda", "list_functions", "Functions", "FunctionName"),
        "endpoint configuration": named("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        "model": named("list_models", "Models", "ModelName"),
        "model package group": named(
            "list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"
        ),
        "scalable target": _listed(
            env,
            "application-autoscaling",
            "describe_scalable_targets",
            "ScalableTargets",
            "ResourceId",
            ServiceNamespace="sagemaker",
        ),
        "role": lambda: _roles(env),
        "parameter": _listed(
            env,
            "ssm",
            "get_parameters_by_path",
            "Parameters",
            "Name",
            Recursive=True,
            Path=parameter(env.settings),
        ),
    }


def _listed(env: Environment, service: str, operation: str, items: str, name: str, **arguments: Any) -> Names:
    """Return a function that calls a paginated operation and returns the field `name` of its `items`."""

    def names() -> list[str]:
        pages = env.client(service).get_paginator(operation).paginate(**arguments)
        return [item[name] for page in pages for item in page[items]]

    return names


def _apps(env: Environment) -> list[str]:
    """Return the applications of all users in the environment's Studio domains."""
    return [
        f"{domain.name} {app.owner[1]}/{app.kind}/{app.name}"
        for domain in studio.domains(env)
        if domain.name.startswith(f"{env.settings.prefix}-")
        for app in studio.apps(env, domain.id)
    ]


def _roles(env: Environment) -> list[str]:
    """Return the IAM roles, without those of stack access: these remove environments, and outlive them."""
    pages = env.client("iam").get_paginator("list_roles").paginate()
    return [role["RoleName"] for page in pages for role in page["Roles"] if role["Path"] != ACCESS_PATH]


def _instances(env: Environment) -> list[str]:
    states = ["pending", "running", "stopping", "stopped"]
    filters = [*studio.tag_filters(env.settings), {"Name": "instance-state-name", "Values": states}]
    pages = env.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    found = [
        instance["InstanceId"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    return [f"{env.settings.prefix} {instance}" for instance in found]


def _network(env: Environment, kind: str, id_name: str, in_vpc: bool = False) -> list[str]:
    """Return the resources of a network that have the environment's tags, or are in a VPC that has them.

    They are few: one answer holds them.
    """
    ec2, filters = env.client("ec2"), studio.tag_filters(env.settings)
    if in_vpc:
        vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=filters)["Vpcs"]]
        if not vpcs:
            return []
        filters = [{"Name": "vpc-id", "Values": vpcs}]
    answer = getattr(ec2, f"describe_{kind}")(Filters=filters)
    items = answer["".join(word.capitalize() for word in kind.split("_"))]
    return [
        f"{env.settings.prefix} {item[id_name]}"
        for item in items
        if item.get("State", "").lower() not in ("deleted", "deleting")
    ]


def _enabled_keys(env: Environment) -> list[str]:
    """Return the aliases of keys that are not pending deletion, which costs nothing."""
    kms = env.client("kms")
    aliases = [alias for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]]
    return [
        alias["AliasName"]
        for alias in aliases
        if env.settings.prefix in alias["AliasName"]
        and kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion"
    ]
