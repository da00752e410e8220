"""Kinds of SageMaker Studio and of notebook instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ops.inventory import prices
from ops.inventory.model import Kind, Place, Resource, pages
from ops.inventory.sagemaker import deleted, listed


def _domains(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("sagemaker"), "list_domains", "Domains"):
        yield Resource(
            item["DomainName"], item["DomainArn"], item["DomainId"], ending=item["Status"] == "Deleting"
        )


def _owner(item: dict[str, Any]) -> dict[str, str]:
    """Return who has an application: a space or a user."""
    field = "SpaceName" if item.get("SpaceName") else "UserProfileName"
    return {field: item[field]}


def _apps(place: Place) -> Iterator[Resource]:
    """List applications. Their names are the domain's and their own: they belong to the domain's owner."""
    for domain in list(_domains(place)):
        for item in pages(place.client("sagemaker"), "list_apps", "Apps", DomainIdEquals=domain.id):
            if item["Status"] in ("Deleted", "Failed"):
                continue
            owner = _owner(item)
            own = f"{next(iter(owner.values()))}/{item['AppType']}/{item['AppName']}"
            yield Resource(
                f"{domain.name} {own}",
                place.arn("sagemaker", f"app/{domain.id}/{own}".lower()),
                item["AppName"],
                ending=item["Status"] == "Deleting",
                monthly=prices.instances((item.get("ResourceSpec") or {}).get("InstanceType")),
                data={"DomainId": domain.id, "AppType": item["AppType"], **owner},
            )


def _delete_app(place: Place, app: Resource) -> None:
    place.client("sagemaker").delete_app(AppName=app.id, **app.data)


def _inside(operation: str, items: str, field: str, arn: str) -> Any:
    """Return a function that lists the spaces or user profiles of all domains."""

    def listing(place: Place) -> Iterator[Resource]:
        for domain in list(_domains(place)):
            for item in pages(place.client("sagemaker"), operation, items, DomainIdEquals=domain.id):
                yield Resource(
                    f"{domain.name} {item[field]}",
                    place.arn("sagemaker", f"{arn}/{domain.id}/{item[field]}".lower()),
                    item[field],
                    ending=item["Status"] == "Deleting",
                    data={"DomainId": domain.id},
                )

    return listing


def _delete_domain(place: Place, domain: Resource) -> None:
    policy = {"HomeEfsFileSystem": "Delete"}
    place.client("sagemaker").delete_domain(DomainId=domain.id, RetentionPolicy=policy)


def _notebook(place: Place, notebook: Resource) -> Resource:
    found = place.client("sagemaker").describe_notebook_instance(NotebookInstanceName=notebook.id)
    disk = prices.flat("notebook_volume_gb") * found.get("VolumeSizeInGB", 5)
    status = found["NotebookInstanceStatus"]
    running = prices.instances(found["InstanceType"]) if status == "InService" else 0.0
    return replace(
        notebook,
        monthly=None if running is None else running + disk,
        ending=status in ("Deleting", "Stopping"),
    )


def _delete_notebook(place: Place, notebook: Resource) -> None:
    """Stop a running notebook instance, or delete a stopped one: SageMaker deletes no other."""
    sagemaker = place.client("sagemaker")
    status = sagemaker.describe_notebook_instance(NotebookInstanceName=notebook.id)["NotebookInstanceStatus"]
    if status == "InService":
        sagemaker.stop_notebook_instance(NotebookInstanceName=notebook.id)
    else:
        sagemaker.delete_notebook_instance(NotebookInstanceName=notebook.id)


KINDS = (
    Kind("Studio application", (), ("sagemaker:app/",), _apps, _delete_app),
    Kind(
        "Studio space",
        ("aws_sagemaker_space",),
        ("sagemaker:space/",),
        _inside("list_spaces", "Spaces", "SpaceName", "space"),
        lambda place, item: place.client("sagemaker").delete_space(SpaceName=item.id, **item.data),
    ),
    Kind(
        "Studio user profile",
        ("aws_sagemaker_user_profile",),
        ("sagemaker:user-profile/",),
        _inside("list_user_profiles", "UserProfiles", "UserProfileName", "user-profile"),
        lambda place, item: place.client("sagemaker").delete_user_profile(
            UserProfileName=item.id, **item.data
        ),
    ),
    Kind("Studio domain", ("aws_sagemaker_domain",), ("sagemaker:domain/",), _domains, _delete_domain),
    Kind(
        "Studio lifecycle configuration",
        ("aws_sagemaker_studio_lifecycle_config",),
        ("sagemaker:studio-lifecycle-config/",),
        listed("list_studio_lifecycle_configs", "StudioLifecycleConfigs", "StudioLifecycleConfig"),
        deleted("delete_studio_lifecycle_config", "StudioLifecycleConfigName"),
    ),
    Kind(
        "notebook instance",
        ("aws_sagemaker_notebook_instance",),
        ("sagemaker:notebook-instance/",),
        listed("list_notebook_instances", "NotebookInstances", "NotebookInstance"),
        _delete_notebook,
        _notebook,
    ),
    Kind(
        "notebook lifecycle configuration",
        ("aws_sagemaker_notebook_instance_lifecycle_configuration",),
        ("sagemaker:notebook-instance-lifecycle-config/",),
        listed(
            "list_notebook_instance_lifecycle_configs",
            "NotebookInstanceLifecycleConfigs",
            "NotebookInstanceLifecycleConfig",
        ),
        deleted("delete_notebook_instance_lifecycle_config", "NotebookInstanceLifecycleConfigName"),
    ),
)
"""In the order of their deletion."""
