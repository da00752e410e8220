"""Kinds of SageMaker's hosting and registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from botocore.exceptions import ClientError

from ops.inventory import prices
from ops.inventory.model import Kind, Place, Resource, pages


def listed(
    operation: str, items: str, api: str, ending: tuple[str, ...] = ("Deleting",)
) -> Callable[[Place], Iterator[Resource]]:
    """Return a function that lists what SageMaker names <api>Name and <api>Arn."""

    def listing(place: Place) -> Iterator[Resource]:
        for item in pages(place.client("sagemaker"), operation, items):
            status = next((value for key, value in item.items() if key.endswith("Status")), "")
            name = item[f"{api}Name"]
            yield Resource(name, item[f"{api}Arn"], name, ending=status in ending)

    return listing


def deleted(operation: str, parameter: str) -> Callable[[Place, Resource], object]:
    """Return a function that deletes what SageMaker deletes by one name."""
    return lambda place, item: getattr(place.client("sagemaker"), operation)(**{parameter: item.id})


def _endpoint(place: Place, endpoint: Resource) -> Resource:
    sagemaker = place.client("sagemaker")
    found = sagemaker.describe_endpoint(EndpointName=endpoint.id)
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    except ClientError:  # it was deleted first: the endpoint still serves
        return replace(endpoint, monthly=None)
    counts = {
        variant["VariantName"]: variant["CurrentInstanceCount"]
        for kind in ("ProductionVariants", "ShadowProductionVariants")
        for variant in found.get(kind) or []
        if "CurrentInstanceCount" in variant
    }
    chosen = [*config["ProductionVariants"], *(config.get("ShadowProductionVariants") or [])]
    return replace(endpoint, monthly=prices.variants(chosen, counts))


def _packages(place: Place) -> Iterator[Resource]:
    """List model packages outside groups. A group's versions are part of the group."""
    for item in pages(
        place.client("sagemaker"),
        "list_model_packages",
        "ModelPackageSummaryList",
        ModelPackageType="Unversioned",
    ):
        if not item.get("ModelPackageGroupName"):
            yield Resource(item.get("ModelPackageName", ""), item["ModelPackageArn"], item["ModelPackageArn"])


def _delete_group(place: Place, group: Resource) -> None:
    sagemaker = place.client("sagemaker")
    versions = pages(
        sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group.id
    )
    for version in list(versions):
        sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
    sagemaker.delete_model_package_group(ModelPackageGroupName=group.id)


KINDS = (
    Kind(
        "endpoint",
        ("aws_sagemaker_endpoint",),
        ("sagemaker:endpoint/",),
        listed("list_endpoints", "Endpoints", "Endpoint"),
        deleted("delete_endpoint", "EndpointName"),
        _endpoint,
    ),
    Kind(
        "endpoint configuration",
        ("aws_sagemaker_endpoint_configuration",),
        ("sagemaker:endpoint-config/",),
        listed("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
        deleted("delete_endpoint_config", "EndpointConfigName"),
    ),
    Kind(
        "model",
        ("aws_sagemaker_model",),
        ("sagemaker:model/",),
        listed("list_models", "Models", "Model"),
        deleted("delete_model", "ModelName"),
    ),
    Kind(
        "model package",
        (),
        ("sagemaker:model-package/",),
        _packages,
        deleted("delete_model_package", "ModelPackageName"),
        only_tagged=True,
    ),
    Kind(
        "model package group",
        ("aws_sagemaker_model_package_group",),
        ("sagemaker:model-package-group/",),
        listed("list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroup"),
        _delete_group,
    ),
)
"""In the order of their deletion."""
