"""What of a workbench runs or lies in AWS, found by its name: Studio's domains with applications and file systems, and
the notebook instance."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings

Progress = Callable[[str], None]

OWNER = "ManagedByAmazonSageMakerResource"  # the tag of a domain's file system: the domain's ARN
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
            ("SpaceName", a["SpaceName"]) if a.get("SpaceName") else ("UserProfileName", a["UserProfileName"]),
            a["AppType"], a["AppName"], a["Status"],
        )
        for page in pages
        for a in page["Apps"]
        if a["Status"] != "Deleted"
    ]  # fmt: skip


def close_apps(settings: Settings, progress: Progress) -> list[str]:
    """Delete the applications of the environment's domains and wait for their end: domain and space cannot go before.

    Returns their names. Raises OperatorError if one does not end within a quarter of an hour.
    """
    sagemaker, closed = client("sagemaker", settings.region), []
    for domain in own_domains(settings):
        for app in apps(settings, domain.id):
            if app.status == "Deleting":
                continue
            try:
                sagemaker.delete_app(
                    DomainId=domain.id, AppType=app.kind, AppName=app.name, **dict([app.owner])
                )
            except ClientError as error:
                if error_code(error) not in ("ResourceNotFound", "ResourceInUse"):
                    raise
                continue  # it ended by itself, or is being deleted, since it was listed
            closed.append(f"{app.owner[1]}/{app.kind}/{app.name}")

        def left(domain: Domain = domain) -> str:
            return ", ".join(f"{app.kind} {app.name} ({app.status})" for app in apps(settings, domain.id))

        wait(lambda: not left(), lambda: f"waiting for the end of {left()}", progress)
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
