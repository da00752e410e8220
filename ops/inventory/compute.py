"""Kinds of EC2: instances, volumes, images, and what they start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ops.aws import tag_dict
from ops.inventory import prices
from ops.inventory.model import Kind, Place, Resource, pages

Fact = Callable[[dict[str, Any]], Any]

_GONE = ("deleted", "terminated", "cancelled", "deregistered")
_ENDING = ("deleting", "shutting-down", "detaching")


def described(
    operation: str,
    items: str,
    field: str,
    arn: str,
    *,
    name: str = "",
    vpc: Fact = lambda item: item.get("VpcId", ""),
    skip: Fact = lambda item: False,
    cost: Fact = lambda item: 0.0,
    own: bool = False,
    **arguments: Any,
) -> Callable[[Place], Iterator[Resource]]:
    """Return a function that lists what EC2 describes.

    field: of the id.
    arn: the type in its ARN.
    name: field of a name, for what has one besides its tags.
    vpc, skip, cost: of an item: its VPC, whether it is left out, its price per month.
    own: ask for the account's own only, as others share theirs.
    """

    def listing(place: Place) -> Iterator[Resource]:
        owner = {"Filters": [{"Name": "owner-id", "Values": [place.env.account_id]}]} if own else {}
        for item in pages(place.client("ec2"), operation, items, **owner, **arguments):
            state = item.get("State") or item.get("Status") or ""
            state = (state.get("Name", "") if isinstance(state, dict) else str(state)).lower()
            if state in _GONE or skip(item):
                continue
            tags = tag_dict(item.get("Tags") or item.get("TagSet"))
            label = tags.get("Name") or (item.get(name, "") if name else "")
            yield Resource(
                f"{label} {item[field]}".strip(),
                place.arn("ec2", f"{arn}/{item[field]}"),
                item[field],
                tags,
                vpc=vpc(item) or "",
                ending=state in _ENDING,
                monthly=cost(item),
                data=item,
            )

    return listing


def ec2(operation: str, parameter: str, many: bool = False) -> Callable[[Place, Resource], object]:
    """Return a function that deletes by id. many: the parameter is a list."""
    return lambda place, item: getattr(place.client("ec2"), operation)(
        **{parameter: [item.id] if many else item.id}
    )


def _instances(place: Place) -> Iterator[Resource]:
    for reservation in pages(place.client("ec2"), "describe_instances", "Reservations"):
        for item in reservation["Instances"]:
            state, tags = item["State"]["Name"], tag_dict(item.get("Tags"))
            if state == "terminated":
                continue
            running = state in ("pending", "running")
            yield Resource(
                f"{tags.get('Name', '')} {item['InstanceId']}".strip(),
                place.arn("ec2", f"instance/{item['InstanceId']}"),
                item["InstanceId"],
                tags,
                vpc=item.get("VpcId") or "",
                ending=state == "shutting-down",
                monthly=prices.instances(item["InstanceType"]) if running else 0.0,
            )


def _terminate(place: Place, instance: Resource) -> None:
    client = place.client("ec2")
    client.modify_instance_attribute(InstanceId=instance.id, DisableApiTermination={"Value": False})
    client.terminate_instances(InstanceIds=[instance.id])


def _volume(place: Place, volume: Resource) -> Resource | None:
    """Leave out the root volume of a running instance: EC2 deletes it with the instance."""
    attached = volume.data.get("Attachments") or []
    if attached and all(attachment.get("DeleteOnTermination") for attachment in attached):
        return None
    cost = prices.volume(volume.data.get("VolumeType", "gp3"), volume.data["Size"])
    return replace(volume, monthly=cost)


KINDS = (
    Kind(
        "instance",
        ("aws_instance",),
        ("ec2:instance/",),
        _instances,
        _terminate,
        in_vpc=True,
    ),
    Kind(
        "launch template",
        (),
        ("ec2:launch-template/",),
        described(
            "describe_launch_templates",
            "LaunchTemplates",
            "LaunchTemplateId",
            "launch-template",
            name="LaunchTemplateName",
        ),
        ec2("delete_launch_template", "LaunchTemplateId"),
    ),
    Kind(
        "key pair",
        (),
        ("ec2:key-pair/",),
        described("describe_key_pairs", "KeyPairs", "KeyPairId", "key-pair", name="KeyName"),
        lambda place, item: place.client("ec2").delete_key_pair(KeyName=item.data["KeyName"]),
    ),
    Kind(
        "volume",
        (),
        ("ec2:volume/",),
        described("describe_volumes", "Volumes", "VolumeId", "volume"),
        ec2("delete_volume", "VolumeId"),
        _volume,
        holds_data=True,
    ),
    Kind(
        "image (AMI)",
        (),
        ("ec2:image/",),
        described("describe_images", "Images", "ImageId", "image", name="Name", own=True),
        ec2("deregister_image", "ImageId"),
        holds_data=True,
    ),
    Kind(
        "snapshot",
        (),
        ("ec2:snapshot/",),
        described(
            "describe_snapshots",
            "Snapshots",
            "SnapshotId",
            "snapshot",
            cost=lambda item: prices.flat("snapshot_gb") * item["VolumeSize"],
            own=True,
        ),
        ec2("delete_snapshot", "SnapshotId"),
        holds_data=True,
    ),
)
"""In the order of their deletion."""
