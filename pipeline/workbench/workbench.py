"""The workbench of an environment: made, opened, removed. Terraform makes it; what starts and stops in it is here."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from ops import packaging
from ops.aws import acting_as, check_instance_type, client, error_code
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.settings import Settings
from ops.settings.workbench import WorkbenchSettings
from ops.terraform import stacks
from pipeline.workbench import studio, wheels
from pipeline.workbench.studio import Progress

STACK = "workbench"
URL_SECONDS = 300  # for which a presigned URL can be opened; AWS has no longer
ARCHIVE = "repository.tar.gz"


def chosen(
    settings: Settings, kind: str | None, instance_type: str | None, internet: bool
) -> WorkbenchSettings:
    """The environment's choices with those of the command line. Raises OperatorError for a wrong one."""
    given = {"kind": kind, "instance_type": instance_type, "internet": internet}
    values = {**settings.workbench.model_dump(), **{name: value for name, value in given.items() if value}}
    if values["kind"] not in (known := ("studio", "notebook")):
        raise OperatorError(f"--kind {kind}: choose {' or '.join(known)}.")
    check_instance_type(values["instance_type"], values["kind"])
    try:
        return WorkbenchSettings(**values)
    except ValidationError as error:
        raise OperatorError(f"--instance-type {instance_type}: a workbench cannot run on it.") from error


def check_network(settings: Settings, wanted: WorkbenchSettings, private: bool) -> None:
    """Raise OperatorError unless it has a way to AWS's services, and is not a Studio that would lose the internet.

    private: whether the foundation has a network.
    """
    if not wanted.internet and not private:
        raise OperatorError(
            f"Environment {settings.environment} has no private network, without which a workbench needs the internet to "
            f"reach AWS: run ./inv workbench.up{settings.flag} --internet, or set vpc = true under [network] in "
            f"environments/{settings.environment}.toml and run ./inv apply --stack foundation{settings.flag}."
        )
    there = handed_over(settings)
    if (
        there
        and there["kind"] == wanted.kind == "studio"
        and there.get("internet_access")
        and not wanted.internet
    ):
        raise OperatorError(  # SageMaker wants VPC and subnets with it, which the provider does not send
            f"The workbench of {settings.environment} reaches the internet, and a Studio domain cannot be moved from there "
            f"into the private network: run ./inv workbench.up{settings.flag} --internet to leave it there, or save what "
            f"you need and run ./inv workbench.down{settings.flag} first."
        )


def upload_repository(
    settings: Settings,
    wanted: WorkbenchSettings,
    bucket: str,
    kms_key_arn: str,
    submitter: str,
    progress: Progress,
) -> str:
    """Put this repository into S3, once per content, for the workbench's home. Returns its URI.

    Without internet it brings the packages that a notebook needs. submitter: ARN of the role that may write programs.
    """
    packages = None if wanted.internet else wheels.folder(wanted.kind, progress)
    progress("packing this repository")
    archive = WORK / "packages" / f"{settings.environment}-{wanted.kind}-{ARCHIVE}"
    digest = packaging.repository_bundle(ROOT, packages, archive)
    key = f"code/{digest[:16]}/{ARCHIVE}"
    with acting_as(submitter):
        s3 = client("s3", settings.region)
        if not s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"]:
            progress(f"uploading this repository, {archive.stat().st_size / 1e6:,.0f} MB")
            with archive.open("rb") as body:
                s3.put_object(
                    Bucket=bucket, Key=key, Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key_arn
                )
    return f"s3://{bucket}/{key}"


def repository_there(settings: Settings, wanted: WorkbenchSettings) -> str | None:
    """URI of the repository that the workbench which stands was made with; None if what is wanted starts anew.

    It keeps it: what is unpacked once is never unpacked over a person's work, and another one would end what runs.
    """
    there = handed_over(settings)
    if there is None or (there["kind"], there.get("internet_access")) != (wanted.kind, wanted.internet):
        return None
    return None if state(settings, there) == "missing" else there.get("repository_uri") or None


def up(settings: Settings, wanted: WorkbenchSettings, repository_uri: str, progress: Progress) -> list[str]:
    """Make it, or bring it to what is wanted, and wait until it is there. Returns the addresses of what changed.

    Another kind replaces it; for another machine, network or start its JupyterLab is closed first, as it has to start
    anew.
    """
    there = handed_over(settings)
    domains = [domain.arn for domain in studio.own_domains(settings)] if wanted.kind == "notebook" else []
    if there and there["kind"] == "studio" and _is_another(settings, there, wanted, repository_uri):
        studio.close_apps(settings, progress)
    if there and there["kind"] == "notebook":
        studio.rest(settings, progress)
    choices = wanted.model_dump(exclude={"internet"})
    inputs = {**choices, "internet_access": wanted.internet, "repository_uri": repository_uri}
    changes = stacks.workbench(settings, progress, inputs).up()
    if wanted.kind == "notebook":
        _settle(settings, progress, asleep_is_fine=True)
    if domains:
        studio.delete_security_groups(settings, domains, progress)
    return [change.address for change in changes]


def _is_another(
    settings: Settings, there: dict[str, Any], wanted: WorkbenchSettings, repository_uri: str
) -> bool:
    """Whether what runs in Studio would run elsewhere or start otherwise: SageMaker changes network and start only where
    nothing runs."""
    new = (wanted.kind, wanted.instance_type, wanted.internet, repository_uri)
    if tuple(there.get(key) for key in ("kind", "instance_type", "internet_access", "repository_uri")) != new:
        return True
    space = client("sagemaker", settings.region).describe_space(
        DomainId=there["domain_id"], SpaceName=there["name"]
    )
    volume = space["SpaceSettings"]["SpaceStorageSettings"]["EbsStorageSettings"]["EbsVolumeSizeInGb"]
    return volume != wanted.volume_size_gb


def open_url(settings: Settings, progress: Progress) -> str:
    """A presigned URL of it, once it is awake; good for `URL_SECONDS`. Raises OperatorError if there is none, or it
    does not start."""
    there = handed_over(settings)
    if there is None:
        raise OperatorError(
            f"Environment {settings.environment} has no workbench: run ./inv workbench.up{settings.flag}."
        )
    sagemaker = client("sagemaker", settings.region)
    if there["kind"] == "notebook":
        _settle(settings, progress)
        return sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=there["name"])[
            "AuthorizedUrl"
        ]
    _start_jupyter_lab(settings, there, progress)
    return sagemaker.create_presigned_domain_url(
        DomainId=there["domain_id"],
        UserProfileName=there["name"],
        SpaceName=there["name"],
        LandingUri="app:JupyterLab:",
        ExpiresInSeconds=URL_SECONDS,
    )["AuthorizedUrl"]


def remove(settings: Settings, progress: Progress) -> list[str]:
    """Remove it, its applications first, and make sure that the domain's file system and security groups go with it.

    Half-made ones go, too; where there is none, nothing is done. Returns the addresses of what went. Raises OperatorError
    if anything is left.
    """
    studio.close_apps(settings, progress)
    studio.rest(settings, progress)  # Terraform deletes at once what is not in service
    domains = [domain.arn for domain in studio.own_domains(settings)]
    changes = stacks.workbench(settings, progress).down() if STACK in stacks.deployed(settings) else ()
    left: list[str] = []

    def gone() -> bool:
        left[:] = studio.file_systems(settings)
        return not left

    try:
        studio.wait(gone, lambda: f"waiting for the end of file system {', '.join(left)}", progress)
    except OperatorError as error:
        raise OperatorError(
            f"The EFS file system {' and '.join(left)} of a Studio domain of {settings.environment} is still there, and "
            "bills: delete it by hand (aws efs delete-file-system)."
        ) from error
    stray = [f"Studio domain {domain.id}" for domain in studio.own_domains(settings)]
    if studio.notebook_instance(settings):
        stray.append(f"notebook instance {studio.name(settings)}")
    if stray:
        raise OperatorError(
            f"{' and '.join(stray)}, which Terraform did not make, is left: delete it by hand."
        )
    studio.delete_security_groups(settings, domains, progress)
    return [change.address for change in changes]


def handed_over(settings: Settings) -> dict[str, Any] | None:
    """What the stack published: name, kind, instance_type, internet_access, repository_uri, role_arn, domain_id,
    file_system_id; None if it is not there."""
    name = f"/{settings.project}/{settings.environment}/{STACK}"
    try:
        return json.loads(client("ssm", settings.region).get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise


def state(settings: Settings, there: dict[str, Any]) -> str:
    """In a word or two: the notebook instance's status, or that of Studio's JupyterLab; "asleep" if it is stopped."""
    if there["kind"] == "notebook":
        status = (studio.notebook_instance(settings) or {"NotebookInstanceStatus": "missing"})[
            "NotebookInstanceStatus"
        ]
        return "asleep" if status == "Stopped" else status
    if there["domain_id"] not in {domain.id for domain in studio.own_domains(settings)}:
        return "missing"
    running = [app.status for app in studio.apps(settings, there["domain_id"]) if app.kind == "JupyterLab"]
    return ", ".join(running) or "asleep"


def _settle(settings: Settings, progress: Progress, asleep_is_fine: bool = False) -> None:
    """Wait until the notebook instance is in service; start it if it is asleep."""
    sagemaker, name = client("sagemaker", settings.region), studio.name(settings)
    status = ""

    def awake() -> bool:
        nonlocal status
        found = studio.notebook_instance(settings)
        status = found["NotebookInstanceStatus"] if found else "missing"
        if found is None or status in ("Failed", "Deleting"):
            why = (
                f": {' '.join(found['FailureReason'].split())}"
                if found and found.get("FailureReason")
                else ""
            )
            raise OperatorError(
                f"The notebook instance {name} is {status}{why}. Its start is logged in /aws/sagemaker/NotebookInstances; "
                f"run ./inv workbench.down{settings.flag} and ./inv workbench.up{settings.flag}."
            )
        if status == "Stopped" and not asleep_is_fine:
            try:
                sagemaker.start_notebook_instance(NotebookInstanceName=name)
            except ClientError:
                now = studio.notebook_instance(settings)
                if now is None or now["NotebookInstanceStatus"] == "Stopped":
                    raise
                # Somebody else has started it since.
        return status == "InService" or (status == "Stopped" and asleep_is_fine)

    studio.wait(awake, lambda: f"waiting for notebook instance {name} ({status})", progress)


def _start_jupyter_lab(settings: Settings, there: dict[str, Any], progress: Progress) -> None:
    """Wait until the space's JupyterLab is in service; start it if it does not run."""
    sagemaker = client("sagemaker", settings.region)
    space = {"DomainId": there["domain_id"], "SpaceName": there["name"]}
    app = {**space, "AppType": "JupyterLab", "AppName": "default"}
    status, started = "", False

    def awake() -> bool:
        nonlocal status, started
        try:
            found = sagemaker.describe_app(**app)
        except ClientError as error:
            if error_code(error) != "ResourceNotFound":
                raise
            found = {"Status": "Deleted"}
        status = found["Status"]
        if status == "Failed" and started:
            raise OperatorError(
                f"JupyterLab of space {there['name']} failed: {' '.join(found.get('FailureReason', 'no reason').split())}. "
                f"Its log is in /aws/sagemaker/studio; mend the cause and run ./inv workbench.open{settings.flag} again."
            )
        if status in ("Deleted", "Failed"):  # of an earlier start, which is started over
            settings_of = sagemaker.describe_space(**space)["SpaceSettings"]["JupyterLabAppSettings"]
            try:
                sagemaker.create_app(**app, ResourceSpec=settings_of["DefaultResourceSpec"])
            except ClientError as error:
                if error_code(error) != "ResourceInUse":  # somebody else has started it since
                    raise
            started = True
        return status == "InService"

    studio.wait(awake, lambda: f"waiting for JupyterLab of space {there['name']} ({status})", progress)
