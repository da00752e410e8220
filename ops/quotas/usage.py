"""What the account uses of SageMaker's quotas now, as far as the caller may see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import is_denied, is_missing
from ops.environment import Environment

_COUNTS = ("DesiredInstanceCount", "CurrentInstanceCount", "InitialInstanceCount")


@dataclass(frozen=True)
class Fleet:
    """The capacity of an endpoint.

    instances: number by instance type.
    concurrency: concurrent requests of its serverless variants.
    """

    instances: Counter[str] = field(default_factory=Counter)
    concurrency: int = 0


def training_instances(env: Environment) -> Counter[tuple[str, bool]]:
    """Count the instances of running training jobs by instance type and whether they are spot instances."""
    used: Counter[tuple[str, bool]] = Counter()
    for status in ("InProgress", "Stopping"):
        for name in _names(
            env, "list_training_jobs", "TrainingJobSummaries", "TrainingJobName", StatusEquals=status
        ):
            job = _described(env, "describe_training_job", TrainingJobName=name)
            resources = job.get("ResourceConfig", {})
            if kind := resources.get("InstanceType"):
                spot = bool(job.get("EnableManagedSpotTraining"))
                used[kind, spot] += resources.get("InstanceCount", 1)
    return used


def processing_instances(env: Environment) -> Counter[str]:
    """Count the instances of running processing jobs by instance type."""
    used: Counter[str] = Counter()
    for status in ("InProgress", "Stopping"):
        for name in _names(
            env, "list_processing_jobs", "ProcessingJobSummaries", "ProcessingJobName", StatusEquals=status
        ):
            job = _described(env, "describe_processing_job", ProcessingJobName=name)
            cluster = job.get("ProcessingResources", {}).get("ClusterConfig", {})
            if kind := cluster.get("InstanceType"):
                used[kind] += cluster.get("InstanceCount", 1)
    return used


def fleets(env: Environment) -> dict[str, Fleet]:
    """Return the capacity of every endpoint of the region by its name."""
    names = _names(env, "list_endpoints", "Endpoints", "EndpointName")
    return {name: _fleet(env, name) for name in names}


def _fleet(env: Environment, name: str) -> Fleet:
    endpoint = _described(env, "describe_endpoint", EndpointName=name)
    config = endpoint.get("EndpointConfigName")
    if config is None or endpoint.get("EndpointStatus") in ("Failed", "Deleting"):
        return Fleet()  # its instances are terminated
    described = _described(env, "describe_endpoint_config", EndpointConfigName=config)
    configured = {v["VariantName"]: v for v in _variants(described)}
    instances: Counter[str] = Counter()
    concurrency = 0
    for variant in _variants(endpoint) or _variants(described):  # a new endpoint reports no variants yet
        initial = configured.get(variant["VariantName"], {})
        if kind := initial.get("InstanceType"):
            instances[kind] += max(variant.get(count, 0) for count in _COUNTS)
        concurrency += initial.get("ServerlessConfig", {}).get("MaxConcurrency", 0)
    return Fleet(instances, concurrency)


def _variants(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [*described.get("ProductionVariants", []), *described.get("ShadowProductionVariants", [])]


def _names(env: Environment, operation: str, items: str, name: str, **request: str) -> Iterator[str]:
    """Yield the names that an operation lists; none if the caller may not list them."""
    try:
        for page in env.client("sagemaker").get_paginator(operation).paginate(**request):
            yield from (item[name] for item in page[items])
    except ClientError as error:
        if not is_denied(error):
            raise


def _described(env: Environment, operation: str, **request: str) -> dict[str, Any]:
    """Return SageMaker's answer; an empty one if the caller may not ask, or if there is no such thing any more."""
    try:
        answer: dict[str, Any] = getattr(env.client("sagemaker"), operation)(**request)
    except ClientError as error:
        if is_denied(error) or is_missing(error):
            return {}
        raise
    return answer
