"""The SageMaker Studio domain of the workbench: its applications, file systems and security groups, found by name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.console import Progress
from ops.environment import Environment
from ops.settings import Settings
from ops.waiting import wait_for

OWNER_TAG = (
    "ManagedByAmazonSageMakerResource"  # of a domain's file system and security groups: the domain's ARN
)
WAIT_SECONDS = 900  # a notebook instance takes minutes to start, a file system to be deleted


@dataclass(frozen=True)
class Domain:
    """A Studio domain. id: d-…, which SageMaker chose."""

    id: str
    name: str
    arn: str


@dataclass(frozen=True)
class App:
    """An application in a domain. owner: ("SpaceName" or "UserProfileName", its name)."""

    domain: str
    owner: tuple[str, str]
    kind: str
    name: str
    status: str


def name(settings: Settings) -> str:
    """Return the name of the environment's domain, user profile and space, and of its notebook instance."""
    return f"{settings.prefix}-workbench"


def tag_filters(settings: Settings) -> list[dict[str, Any]]:
    """Return the EC2 filters for resources with the environment's tags."""
    return [
        {"Name": "tag:Project", "Values": [settings.project]},
        {"Name": "tag:Environment", "Values": [settings.environment]},
    ]


def domains(env: Environment) -> list[Domain]:
    """Return all Studio domains of the account and region."""
    pages = env.client("sagemaker").get_paginator("list_domains").paginate()
    return [Domain(d["DomainId"], d["DomainName"], d["DomainArn"]) for page in pages for d in page["Domains"]]


def own_domains(env: Environment) -> list[Domain]:
    """Return the domains of the environment's workbench."""
    return [domain for domain in domains(env) if domain.name == name(env.settings)]


def apps(env: Environment, domain: str) -> list[App]:
    """Return the applications of all users of a domain that are not deleted. domain: its id."""
    pages = env.client("sagemaker").get_paginator("list_apps").paginate(DomainIdEquals=domain)
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


def delete_apps(env: Environment, progress: Progress) -> list[str]:
    """Delete the applications of the environment's domains, as domain and space cannot be deleted before.

    SageMaker deletes only applications in service: one that is starting is deleted later, and a failed one no longer
    exists. Returns their names. Raises OperatorError if one is not deleted within 15 minutes.
    """
    sagemaker, deleted = env.client("sagemaker"), []
    left: list[App] = []

    def all_deleted() -> bool | None:
        left[:] = [
            app for domain in own_domains(env) for app in apps(env, domain.id) if app.status != "Failed"
        ]
        for app in (app for app in left if app.status == "InService"):
            try:
                sagemaker.delete_app(
                    DomainId=app.domain, AppType=app.kind, AppName=app.name, **dict([app.owner])
                )
            except ClientError as error:
                if error_code(error) not in ("ResourceNotFound", "ResourceInUse"):
                    raise
                continue  # it has ended, or its deletion has begun, since it was listed
            deleted.append(f"{app.owner[1]}/{app.kind}/{app.name}")
        return None if left else True

    def what() -> str:
        return f"deletion of {', '.join(f'{app.kind} {app.name} ({app.status})' for app in left)}"

    wait(all_deleted, what, progress)
    return deleted


def security_groups(env: Environment, deleted: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the security groups that SageMaker creates with a domain, two each, and does not delete.

    Those of the environment's domains, of the domains `deleted`, and of any other deleted domain in the environment's
    own network.

    deleted: ARNs of domains that were deleted just now.
    """
    existing, ec2 = {domain.arn: domain.name for domain in domains(env)}, env.client("ec2")
    pages = ec2.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "tag-key", "Values": [OWNER_TAG]}]
    )
    found = [group for page in pages for group in page["SecurityGroups"]]
    if not found:
        return []
    vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=tag_filters(env.settings))["Vpcs"]}

    def is_ours(group: dict[str, Any]) -> bool:
        owner = next(tag["Value"] for tag in group["Tags"] if tag["Key"] == OWNER_TAG)
        if owner in existing:
            return existing[owner] == name(env.settings)
        return owner in deleted or group["VpcId"] in vpcs

    return [group for group in found if is_ours(group)]


def delete_security_groups(env: Environment, deleted: Collection[str], progress: Progress) -> None:
    """Delete the groups of `security_groups`, once no network interface of a file system uses them."""
    ec2, left = env.client("ec2"), security_groups(env, deleted)
    for group in left:  # their rules refer to each other
        for rules, revoke in (
            ("IpPermissions", ec2.revoke_security_group_ingress),
            ("IpPermissionsEgress", ec2.revoke_security_group_egress),
        ):
            if group[rules]:
                revoke(GroupId=group["GroupId"], IpPermissions=group[rules])

    def all_deleted() -> bool | None:
        for group in list(left):
            try:
                ec2.delete_security_group(GroupId=group["GroupId"])
            except ClientError as error:
                if error_code(error) == "DependencyViolation":
                    continue
                if error_code(error) != "InvalidGroup.NotFound":
                    raise
            left.remove(group)
        return None if left else True

    def what() -> str:
        return f"deletion of security group {', '.join(group['GroupId'] for group in left)}"

    wait(all_deleted, what, progress)


def file_systems(env: Environment) -> list[str]:
    """Return the ids of the EFS file systems of the environment's domains. Those of deleted domains are known by their
    key."""
    existing = {domain.arn: domain.name for domain in domains(env)}
    found = []
    for page in env.client("efs").get_paginator("describe_file_systems").paginate():
        for system in page["FileSystems"]:
            owner = next((tag["Value"] for tag in system.get("Tags", []) if tag["Key"] == OWNER_TAG), None)
            if owner is None or system["LifeCycleState"] == "deleted":
                continue
            if owner in existing:
                is_ours = existing[owner] == name(env.settings)
            else:
                is_ours = _has_own_key(env, system)
            if is_ours:
                found.append(system["FileSystemId"])
    return found


def wait(done: Callable[[], bool | None], what: Callable[[], str], progress: Progress) -> None:
    """Wait until `done` returns True. Raises OperatorError after 15 minutes. what: returns what is waited for."""
    wait_for(
        done,
        seconds=WAIT_SECONDS,
        shortest=3,
        on_wait=lambda: progress(f"waiting for the {what()}"),
        on_timeout=lambda: (
            f"SageMaker is slow: the {what()} is not complete after {WAIT_SECONDS // 60} minutes. Look at the SageMaker "
            "console, then run the same command again."
        ),
    )


def _has_own_key(env: Environment, system: dict[str, Any]) -> bool:
    """Return whether a file system is encrypted with the environment's key, which may be pending deletion."""
    if not (key := system.get("KmsKeyId")):
        return False
    try:
        tags = env.client("kms").list_resource_tags(KeyId=key)["Tags"]
    except ClientError as error:
        if error_code(error) in ("AccessDeniedException", "NotFoundException"):
            return False  # another environment's
        raise
    found = {tag["TagKey"]: tag["TagValue"] for tag in tags}
    return (found.get("Project"), found.get("Environment")) == (
        env.settings.project,
        env.settings.environment,
    )
