"""The workbench of an environment: create it, open it, remove it. Terraform creates it; SageMaker starts and stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from ml.jobs import repository, wheels
from ops.console import Progress
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts.instance_types import check_instance_type
from ops.outputs import Workbench
from ops.settings import Settings
from ops.settings.workbench import WorkbenchSettings
from ops.terraform import stacks
from ops.terraform.stack import Change
from pipeline.workbench import jupyter_lab, notebook, studio

URL_SECONDS = 300  # AWS's limit for opening a presigned URL
STOPPED = "stopped"


def chosen(
    settings: Settings, kind: str | None, instance_type: str | None, internet: bool
) -> WorkbenchSettings:
    """Return the environment's settings, overridden by the command line. Raises OperatorError for a wrong value."""
    options = {"kind": kind, "instance_type": instance_type, "internet": internet}
    values = {**settings.workbench.model_dump(), **{name: value for name, value in options.items() if value}}
    if values["kind"] not in (kinds := ("studio", "notebook")):
        raise OperatorError(f"--kind {kind}: choose {' or '.join(kinds)}.")
    check_instance_type(values["instance_type"], values["kind"])
    try:
        return WorkbenchSettings(**values)
    except ValidationError as error:
        raise OperatorError(f"--instance-type {instance_type}: a workbench cannot run on it.") from error


def check_network(env: Environment, wanted: WorkbenchSettings) -> None:
    """Raise OperatorError if the workbench could not reach AWS, or if an existing Studio domain would lose its internet
    access."""
    settings, flag = env.settings, env.settings.flag
    if not wanted.internet and env.outputs.foundation.network is None:
        raise OperatorError(
            f"Environment {settings.environment} has no private network, so the workbench needs the internet to reach AWS: "
            f"run ./inv workbench.up{flag} --internet, or set vpc = true under [network] in "
            f"environments/{settings.environment}.toml and run ./inv apply --stack foundation{flag}."
        )
    existing = env.outputs.find_workbench()
    both_studio = existing is not None and existing.kind == wanted.kind == "studio"
    if existing and both_studio and existing.internet_access and not wanted.internet:
        # SageMaker would need VPC and subnets in the same request, and the Terraform provider does not send them.
        raise OperatorError(
            f"The workbench of {settings.environment} has internet access, and a Studio domain with it cannot move to the "
            f"private network: run ./inv workbench.up{flag} --internet to keep it, or save your files and run "
            f"./inv workbench.down{flag} first."
        )


def existing_repository(env: Environment, wanted: WorkbenchSettings) -> str | None:
    """Return the URI of the repository that the existing workbench was made with; None if a new one will be created.

    The workbench keeps it: its home folder, with a person's work, is never overwritten, and another URI would end what
    is running.
    """
    existing = env.outputs.find_workbench()
    if existing is None or (existing.kind, existing.internet_access) != (wanted.kind, wanted.internet):
        return None
    return None if state(env, existing) == "missing" else existing.repository_uri or None


def choose_repository(env: Environment, wanted: WorkbenchSettings, progress: Progress) -> tuple[str, bool]:
    """Return the URI of the repository for the workbench, and whether it was uploaded now."""
    if existing := existing_repository(env, wanted):
        return existing, False
    # Without internet access a notebook cannot install packages.
    packages = None if wanted.internet else wheels.folder(wanted.kind, progress)
    return repository.upload(env, wanted.kind, packages, progress), True


def up(env: Environment, wanted: WorkbenchSettings, repository_uri: str, progress: Progress) -> list[str]:
    """Create or update the workbench and wait until it is usable. Returns the addresses of the changed resources.

    Another kind replaces it. For another instance type, network or start, JupyterLab is deleted first, as it has to
    start again.
    """
    existing = env.outputs.find_workbench()
    domains = [domain.arn for domain in studio.own_domains(env)] if wanted.kind == "notebook" else []
    if existing and existing.kind == "studio" and _needs_restart(env, existing, wanted, repository_uri):
        studio.delete_apps(env, progress)
    if existing and existing.kind == "notebook":
        notebook.wait_until_stable(env, progress)
    inputs: dict[str, Any] = {
        **wanted.model_dump(exclude={"internet"}),
        "internet_access": wanted.internet,
        "repository_uri": repository_uri,
    }
    changes = stacks.workbench(env, progress, inputs).up()
    if wanted.kind == "notebook":
        notebook.start(env, progress, accept_stopped=True)
    if domains:
        studio.delete_security_groups(env, domains, progress)
    return [change.address for change in changes]


def open_url(env: Environment, progress: Progress) -> str:
    """Start the workbench if it is stopped, and return a presigned URL that is valid for `URL_SECONDS`.

    Raises OperatorError if there is no workbench or it does not start.
    """
    workbench = env.outputs.workbench()
    sagemaker = env.client("sagemaker")
    if workbench.kind == "notebook":
        notebook.start(env, progress)
        answer = sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=workbench.name)
    else:
        jupyter_lab.start(env, workbench, progress)
        answer = sagemaker.create_presigned_domain_url(
            DomainId=workbench.domain_id,
            UserProfileName=workbench.name,
            SpaceName=workbench.name,
            LandingUri="app:JupyterLab:",
            ExpiresInSeconds=URL_SECONDS,
        )
    return str(answer["AuthorizedUrl"])


def remove(env: Environment, progress: Progress, destroy: Callable[[], object] | None = None) -> list[str]:
    """Remove the workbench, also a partly created one, with the file system and security groups of its domain.

    destroy: destroys the stack; by default it is planned and destroyed.

    Returns the addresses of the removed resources. Raises OperatorError if anything is left.
    """
    studio.delete_apps(env, progress)
    notebook.wait_until_stable(env, progress)  # Terraform deletes it without waiting
    domains = [domain.arn for domain in studio.own_domains(env)]
    changes: tuple[Change, ...] = ()
    if destroy:
        destroy()
    elif "workbench" in stacks.deployed(env):
        changes = stacks.workbench(env, progress).down()
    _wait_until_file_systems_are_deleted(env, progress)
    left = [f"Studio domain {domain.id}" for domain in studio.own_domains(env)]
    if notebook.find(env):
        left.append(f"notebook instance {studio.name(env.settings)}")
    if left:
        raise OperatorError(f"Terraform did not create {' and '.join(left)}: delete it manually.")
    studio.delete_security_groups(env, domains, progress)
    return [change.address for change in changes]


def state(env: Environment, workbench: Workbench) -> str:
    """Return the status of the notebook instance or of Studio's JupyterLab: AWS's, or "stopped", or "missing"."""
    if workbench.kind == "notebook":
        status = notebook.status(env)
        return STOPPED if status == "Stopped" else status
    if workbench.domain_id not in {domain.id for domain in studio.own_domains(env)}:
        return "missing"
    running = [app.status for app in studio.apps(env, workbench.domain_id) if app.kind == "JupyterLab"]
    return ", ".join(running) or STOPPED


def _needs_restart(
    env: Environment, existing: Workbench, wanted: WorkbenchSettings, repository_uri: str
) -> bool:
    """Return whether the change ends Studio's JupyterLab: SageMaker changes its network and start only while it is
    stopped."""
    before = (existing.kind, existing.instance_type, existing.internet_access, existing.repository_uri)
    if before != (wanted.kind, wanted.instance_type, wanted.internet, repository_uri):
        return True
    space = env.client("sagemaker").describe_space(DomainId=existing.domain_id, SpaceName=existing.name)
    volume = space["SpaceSettings"]["SpaceStorageSettings"]["EbsStorageSettings"]["EbsVolumeSizeInGb"]
    return bool(volume != wanted.volume_size_gb)


def _wait_until_file_systems_are_deleted(env: Environment, progress: Progress) -> None:
    left: list[str] = []

    def all_deleted() -> bool | None:
        left[:] = studio.file_systems(env)
        return None if left else True

    try:
        studio.wait(all_deleted, lambda: f"deletion of file system {', '.join(left)}", progress)
    except OperatorError as error:
        raise OperatorError(
            f"The EFS file system {' and '.join(left)} of a Studio domain of {env.settings.environment} still exists, and "
            "bills: delete it manually (aws efs delete-file-system)."
        ) from error
