"""The training hosts of an environment, as EC2 knows them: by the tags that they have from their first moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import client
from ops.settings import Settings

ALIVE, GOING = ("pending", "running"), ("shutting-down", "stopping")


@dataclass(frozen=True)
class Host:
    """A host at a look. state: "gone" an hour after its end. keep: whether it stays when its job has ended. reason_code,
    reason: why it is not running any more, as EC2 says it."""

    instance_id: str
    job: str = ""
    instance_type: str = ""
    state: str = "gone"
    spot: bool = False
    keep: bool = False
    reason_code: str = ""
    reason: str = "EC2 knows it no more"


def find(settings: Settings) -> Host | None:
    """The host that is there, or is just going; there is one at a time."""
    filters: dict[str, str | list[str]] = {
        "tag:Project": settings.project,
        "tag:Environment": settings.environment,
        "tag:Name": f"{settings.prefix}-host",
        "instance-state-name": [*ALIVE, *GOING],
    }
    found = _hosts(settings, **filters)
    return next((host for host in found if host.state in ALIVE), found[0] if found else None)


def look(settings: Settings, instance_id: str) -> Host:
    """A host by its id. By a filter, for which an id that EC2 has forgotten is no error."""
    found = _hosts(settings, **{"instance-id": instance_id})
    return found[0] if found else Host(instance_id)


def console(settings: Settings, instance_id: str) -> list[str]:
    """The last lines that user data printed, also for an hour after the host's end; none if EC2 does not give them."""
    try:
        answer = client("ec2", settings.region).get_console_output(InstanceId=instance_id)
    except ClientError:  # no reason to hide the failure that is told
        return []
    lines = answer.get("Output", "").strip().splitlines()
    return ([line for line in lines if "cloud-init[" in line] or lines)[
        -5:
    ]  # not what the kernel says beside


def _hosts(settings: Settings, **filters: str | list[str]) -> list[Host]:
    pages = client("ec2", settings.region).get_paginator("describe_instances")
    wanted = [
        {"Name": name, "Values": value if isinstance(value, list) else [value]}
        for name, value in filters.items()
    ]
    return [
        _host(instance)
        for page in pages.paginate(Filters=wanted)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def _host(instance: dict[str, Any]) -> Host:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    reason = instance.get("StateReason", {})
    return Host(
        instance_id=instance["InstanceId"],
        job=tags.get("Job", ""),
        instance_type=instance["InstanceType"],
        state=instance["State"]["Name"],
        spot=instance.get("InstanceLifecycle") == "spot",
        keep=tags.get("Keep") == "yes",
        reason_code=reason.get("Code", ""),
        reason=reason.get("Message") or instance.get("StateTransitionReason", ""),
    )
