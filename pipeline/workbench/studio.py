"""What of a workbench runs or lies in AWS, found by its name: Studio's domains with applications and file systems, and
the notebook instance."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings

Progress = Callable[[str], None]

OWNER = "ManagedByAmazonSageMakerResource"  # the tag of a domain's file system and security groups: the domain's ARN
_LONGEST_WAIT = 900  # seconds; a notebook instance takes minutes to start, a file system to go
_PAUSE = 3.0


@dataclass(frozen=True)
class Domain:
    """A Studio domain. id: as d-…, which SageMaker chose."""

    id: str
    name: str
    arn: str


@dataclass(frozen=True)
class App:
    """An application in a domain. owner: SpaceName or UserProfileName, and which of the two it is."""

    domain: str
    owner: tuple[str, str]
    kind: str
    name: str
    status: str


def name(settings: Settings) -> str:
    """Of the environment's domain, its user and space; or of its notebook instance."""
    return f"{settings.prefix}-workbench"


def domains(settings: Settings) -> list[Domain]:
    """All Studio domains of the account and region."""
    pages = client("sagemaker", settings.region).get_paginator("list_domains").paginate()
    return [Domain(d["DomainId"], d["DomainName"], d["DomainArn"]) for page in pages for d in page["Domains"]]


def own_domains(settings: Settings) -> list[Domain]:
    """Those that the environment's workbench made."""
    return [domain for domain in domains(settings) if domain.name == name(settings)]


def apps(settings: Settings, domain: str) -> list[App]:
    """The applications of a domain, whoever started them, that are not gone. domain: its id."""
    pages = client("sagemaker", settings.region).get_paginator("list_apps").paginate(DomainIdEquals=domain)
    return [
        App(
            domain,
            ("SpaceName", a["SpaceName"])
            if a.get("SpaceName")
            else ("UserProfileName", a["UserProfileName"]),
            a["AppType"],
            a["AppName"],
            a["Status"],
        )
        for page in pages
        for a in page["Apps"]
        if a["Status"] != "Deleted"
    ]


def close_apps(settings: Settings, progress: Progress) -> list[str]:
    """Delete the applications of the environment's domains and wait for their end: domain and space cannot go before.

    One that starts is deleted once it runs, and one that failed is none any more: SageMaker deletes no others. Returns
    their names. Raises OperatorError if one does not end within a quarter of an hour.
    """
    sagemaker, closed = client("sagemaker", settings.region), []
    left: list[App] = []

    def gone() -> bool:
        left[:] = [
            app
            for domain in own_domains(settings)
            for app in apps(settings, domain.id)
            if app.status != "Failed"
        ]
        for app in (app for app in left if app.status == "InService"):
            try:
                sagemaker.delete_app(
                    DomainId=app.domain, AppType=app.kind, AppName=app.name, **dict([app.owner])
                )
            except ClientError as error:
                if error_code(error) not in ("ResourceNotFound", "ResourceInUse"):
                    raise
                continue  # it ended by itself, or is being deleted, since it was listed
            closed.append(f"{app.owner[1]}/{app.kind}/{app.name}")
        return not left

    def told() -> str:
        return ", ".join(f"{app.kind} {app.name} ({app.status})" for app in left)

    wait(gone, lambda: f"waiting for the end of {told()}", progress)
    return closed


def notebook_instance(settings: Settings) -> dict | None:
    """The environment's notebook instance as SageMaker describes it; None if there is none."""
    try:
        return client("sagemaker", settings.region).describe_notebook_instance(
            NotebookInstanceName=name(settings)
        )
    except ClientError as error:
        if error_code(error) in ("ValidationException", "ResourceNotFound"):
            return None
        raise


def rest(settings: Settings, progress: Progress) -> None:
    """Wait until the notebook instance neither starts nor stops: before, nothing about it can be changed."""
    status = ""

    def rests() -> bool:
        nonlocal status
        found = notebook_instance(settings)
        status = found["NotebookInstanceStatus"] if found else "gone"
        return status in ("gone", "InService", "Stopped", "Failed")

    wait(rests, lambda: f"waiting for notebook instance {name(settings)} ({status})", progress)


def security_groups(settings: Settings, gone: Collection[str] = ()) -> list[dict]:
    """The two security groups that SageMaker makes with each domain and leaves behind, as EC2 describes them: of the
    environment's domains, of those that went lately, and of any other gone one in the environment's own network.

    gone: ARNs of the domains that went lately.
    """
    there, ec2 = {domain.arn: domain.name for domain in domains(settings)}, client("ec2", settings.region)
    pages = ec2.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "tag-key", "Values": [OWNER]}]
    )
    found, vpcs = [group for page in pages for group in page["SecurityGroups"]], set()
    if found:
        own = [
            {"Name": "tag:Project", "Values": [settings.project]},
            {"Name": "tag:Environment", "Values": [settings.environment]},
        ]
        vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=own)["Vpcs"]}

    def ours(group: dict) -> bool:
        owner = next(tag["Value"] for tag in group["Tags"] if tag["Key"] == OWNER)
        if owner in there:
            return there[owner] == name(settings)
        return owner in gone or group["VpcId"] in vpcs

    return [group for group in found if ours(group)]


def delete_security_groups(settings: Settings, gone: Collection[str], progress: Progress) -> None:
    """Delete what `security_groups` finds, once no interface of a file system is in it any more."""
    ec2, left = client("ec2", settings.region), security_groups(settings, gone)
    for group in left:  # they refer to each other
        for rules, revoke in (
            ("IpPermissions", ec2.revoke_security_group_ingress),
            ("IpPermissionsEgress", ec2.revoke_security_group_egress),
        ):
            if group[rules]:
                revoke(GroupId=group["GroupId"], IpPermissions=group[rules])

    def deleted() -> bool:
        for group in list(left):
            try:
                ec2.delete_security_group(GroupId=group["GroupId"])
            except ClientError as error:
                if error_code(error) == "DependencyViolation":
                    continue
                if error_code(error) != "InvalidGroup.NotFound":
                    raise
            left.remove(group)
        return not left

    wait(
        deleted, lambda: f"waiting to delete security group {', '.join(g['GroupId'] for g in left)}", progress
    )


def file_systems(settings: Settings) -> list[str]:
    """Ids of the EFS file systems of the environment's domains, of those gone as well: these are known by their key."""
    there = {domain.arn: domain.name for domain in domains(settings)}
    found = []
    for page in client("efs", settings.region).get_paginator("describe_file_systems").paginate():
        for system in page["FileSystems"]:
            owner = next((tag["Value"] for tag in system.get("Tags", []) if tag["Key"] == OWNER), None)
            if owner is None or system["LifeCycleState"] == "deleted":
                continue
            if there[owner] == name(settings) if owner in there else _has_our_key(settings, system):
                found.append(system["FileSystemId"])
    return found


def _has_our_key(settings: Settings, system: dict) -> bool:
    """Whether a file system is encrypted with the environment's key, which may be waiting for its deletion."""
    if not (key := system.get("KmsKeyId")):
        return False
    try:
        tags = client("kms", settings.region).list_resource_tags(KeyId=key)["Tags"]
    except ClientError as error:
        if error_code(error) in ("AccessDeniedException", "NotFoundException"):
            return False  # somebody else's
        raise
    found = {tag["TagKey"]: tag["TagValue"] for tag in tags}
    return (found.get("Project"), found.get("Environment")) == (settings.project, settings.environment)


def wait(done: Callable[[], bool], doing: Callable[[], str], progress: Progress) -> None:
    """Look again until it is done. Raises OperatorError, with what was waited for, after a quarter of an hour."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while not done():
        if time.monotonic() > deadline:
            raise OperatorError(
                f"SageMaker is slow: after {_LONGEST_WAIT // 60} minutes still {doing()}. Look at its console, then run "
                "the same command again."
            )
        progress(doing())
        time.sleep(_PAUSE)
