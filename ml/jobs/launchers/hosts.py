"""The training hosts of an environment, found in EC2 by the tags that they have from launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.environment import Environment

ALIVE, ENDING = ("pending", "running"), ("shutting-down", "stopping")
CONSOLE_LINES = 5


@dataclass(frozen=True)
class Host:
    """The state of a host.

    state: of the EC2 instance; "gone" once EC2 has forgotten it, an hour after its termination.
    keep: whether it keeps running when its job has ended.
    reason_code, reason: why it is no longer running, in EC2's words.
    """

    instance_id: str
    job: str = ""
    instance_type: str = ""
    state: str = "gone"
    spot: bool = False
    keep: bool = False
    reason_code: str = ""
    reason: str = "EC2 no longer lists it"


def find(env: Environment) -> Host | None:
    """Return the host that is running, or else one that is ending; there is one at a time."""
    settings = env.settings
    filters: dict[str, str | list[str]] = {
        "tag:Project": settings.project,
        "tag:Environment": settings.environment,
        "tag:Name": f"{settings.prefix}-host",
        "instance-state-name": [*ALIVE, *ENDING],
    }
    found = _hosts(env, **filters)
    return next((host for host in found if host.state in ALIVE), found[0] if found else None)


def get(env: Environment, instance_id: str) -> Host:
    """Return a host by its id. Uses a filter, as EC2 accepts one for an id that it has forgotten."""
    found = _hosts(env, **{"instance-id": instance_id})
    return found[0] if found else Host(instance_id)


def console_output(env: Environment, instance_id: str) -> list[str]:
    """Return the last lines that user data printed; EC2 has them until an hour after termination, or not at all."""
    try:
        answer = env.client("ec2").get_console_output(InstanceId=instance_id)
    except ClientError:  # it must not replace the failure that is being reported
        return []
    lines = answer.get("Output", "").strip().splitlines()
    # The kernel prints to the console too.
    return ([line for line in lines if "cloud-init[" in line] or lines)[-CONSOLE_LINES:]


def _hosts(env: Environment, **filters: str | list[str]) -> list[Host]:
    pages = env.client("ec2").get_paginator("describe_instances")
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
