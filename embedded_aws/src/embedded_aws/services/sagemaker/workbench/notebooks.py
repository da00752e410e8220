"""Records of notebook instances and lifecycle configurations. Each instance runs a JupyterLab."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from functools import partial
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.sagemaker.tags import TagStore
from embedded_aws.services.sagemaker.workbench.lab import Lifecycle, NotStarted, Plan
from embedded_aws.services.sagemaker.workbench.labs import Labs
from embedded_aws.services.sagemaker.workbench.tickets import TargetNotRunning

# Members that have another name in a description than in a request.
RENAMED = {"LifecycleConfigName": "NotebookInstanceLifecycleConfigName", "SecurityGroupIds": "SecurityGroups"}
DEFAULTS = {
    "DirectInternetAccess": "Enabled",
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2023-v1",
    "VolumeSizeInGB": 5,
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
}
UNSUPPORTED_PLATFORMS = ("notebook-al1-", "notebook-al2-")  # support for Amazon Linux 2 ended on 1 July 2026
CONFIG = "Notebook Instance Lifecycle Config"
LOG_GROUP = "/aws/sagemaker/NotebookInstances"
USER_HOME = "/home/ec2-user"
KEPT = f"{USER_HOME}/SageMaker"  # the only folder that is kept when the instance stops
URL_SECONDS = 300  # lifetime of a presigned URL
# Member of a record that DescribeNotebookInstance does not return.
CREATED = "OnCreateHasRun"


class NotebooksBackend(TagStore):
    """Notebook instances and lifecycle configurations by name."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.notebooks: dict[str, dict[str, Any]] = {}
        self.notebook_configs: dict[str, dict[str, Any]] = {}

    def notebook(self, name: str) -> dict[str, Any]:
        """Return the record of an instance. Raises ValidationException if there is none."""
        if name not in self.notebooks:
            raise ValidationError(message="RecordNotFound")
        return self.notebooks[name]

    def create_notebook(self, request: dict[str, Any]) -> str:
        """Create an instance and start it in the background. Return its ARN."""
        tags, name = request.pop("Tags", None), request["NotebookInstanceName"]
        arn = self.resource_arn("notebook-instance", name)
        if config := request.get("LifecycleConfigName"):
            self.notebook_config(config, "create Notebook Instance with")
        if request.get("DirectInternetAccess") == "Disabled" and "SubnetId" not in request:
            raise ValidationError(message="DirectInternetAccess cannot be Disabled without a SubnetId.")
        _check_platform(request)
        self._check_role(request["RoleArn"])
        now = datetime.now(timezone.utc)
        with self._labs.states:  # held from the check to the start: two requests may arrive at once
            if name in self.notebooks:
                raise ValidationError(message=f"Cannot create a duplicate Notebook Instance ({arn})")
            self.keep_tags(arn, tags)
            self.notebooks[name] = {
                **DEFAULTS,
                **_described(request),
                "NotebookInstanceArn": arn,
                "NotebookInstanceStatus": "Pending",
                "Url": f"{name}.notebook.{self.region_name}.sagemaker.aws",
                "CreationTime": now,
                "LastModifiedTime": now,
                CREATED: False,
            }
            self._start(self.notebooks[name])
        return arn

    def update_notebook(self, request: dict[str, Any]) -> None:
        """Change the settings of the next start. Raises ValidationException unless Stopped or Failed."""
        with self._labs.states:
            record = self._in_state(request["NotebookInstanceName"], ("Stopped", "Failed"), "Updating")
            _check_platform(request)
            if config := request.get("LifecycleConfigName"):
                self.notebook_config(config, "update Notebook Instance with")
            if role := request.get("RoleArn"):
                self._check_role(role)
            if request.pop("DisassociateLifecycleConfig", False):
                record.pop("NotebookInstanceLifecycleConfigName", None)
            record.update(_described(request), LastModifiedTime=datetime.now(timezone.utc))

    def start_notebook(self, name: str) -> None:
        """Start an instance in the background: Pending, then InService or Failed."""
        with self._labs.states:
            record = self._in_state(name, ("Stopped", "Failed"), "Pending")
            _check_platform(record)
            _set_status(record, "Pending")
        self._start(record)

    def stop_notebook(self, name: str) -> None:
        """Stop an instance in the background: Stopping, then Stopped."""
        with self._labs.states:
            record = self._in_state(name, ("InService",), "Stopping")
            _set_status(record, "Stopping")
        self._labs.end(self._plan_name(name), partial(_set_status, record, "Stopped"))

    def delete_notebook(self, name: str) -> None:
        """Delete an instance and its files in the background."""
        with self._labs.states:
            record = self._in_state(name, ("Stopped", "Failed"), "Deleting")
            _set_status(record, "Deleting")
        self._labs.end(self._plan_name(name), partial(self._remove, record))

    def notebook_url(self, name: str) -> str:
        """Return a presigned URL of an instance. Raises ValidationException unless InService."""
        record = self.notebook(name)
        if (status := record["NotebookInstanceStatus"]) != "InService":
            raise ValidationError(
                message=f"Status ({status}) not in ([InService]). Unable to create presigned URL for Notebook Instance "
                f"({record['NotebookInstanceArn']})"
            )
        return self._labs.tickets.issue(URL_SECONDS, partial(self._open_notebook, name))

    def resume_notebooks(self) -> None:
        """After a restart of the embedded AWS, start running instances again, and finish stops and deletions."""
        for record in list(self.notebooks.values()):
            status = record["NotebookInstanceStatus"]
            if status in ("Pending", "InService"):
                _set_status(record, "Pending")
                self._start(record)
            elif status == "Stopping":
                _set_status(record, "Stopped")
            elif status == "Deleting":
                self._remove(record)

    @property
    def _labs(self) -> Labs:
        return self.runtime.get(Labs)

    def _check_role(self, role_arn: str) -> None:
        try:
            self._labs.check_role(role_arn, self.region_name)
        except RoleNotAssumable as error:
            raise ValidationError(message=str(error)) from None

    def _open_notebook(self, name: str) -> str:
        if url := self._labs.url(self._plan_name(name)):
            return url
        raise TargetNotRunning(
            f"The notebook instance {name} is not running: start it, then request a new URL."
        )

    def _plan_name(self, name: str) -> str:
        return f"notebook-instance/{self.region_name}/{name}"

    def _start(self, record: dict[str, Any]) -> None:
        name = record["NotebookInstanceName"]
        record.pop("FailureReason", None)
        config = self.notebook_configs.get(record.get("NotebookInstanceLifecycleConfigName", ""), {})
        hooks = ("OnStart",) if record.get(CREATED) else ("OnCreate", "OnStart")
        plan = Plan(
            name=self._plan_name(name),
            folder=self.runtime.folder("notebooks", self.region_name, name),
            home=USER_HOME,
            kept=KEPT,
            scripts_home="/root",
            role_arn=record["RoleArn"],
            region=self.region_name,
            scripts=tuple(
                Lifecycle(stream=f"{name}/LifecycleConfig{hook}", content=script["Content"])
                for hook in hooks
                for script in config.get(hook, [])
            ),
            stream=f"{name}/jupyter.log",
        )
        self._labs.start(plan, LOG_GROUP, partial(_in_service, record), partial(_failed, record, config))

    def _remove(self, record: dict[str, Any]) -> None:
        name = record["NotebookInstanceName"]
        shutil.rmtree(self.runtime.folder("notebooks", self.region_name, name), ignore_errors=True)
        self.notebooks.pop(name, None)
        self.forget_tags(record["NotebookInstanceArn"])

    def _in_state(self, name: str, allowed: tuple[str, ...], wanted: str) -> dict[str, Any]:
        record = self.notebook(name)
        if (status := record["NotebookInstanceStatus"]) not in allowed:
            raise ValidationError(
                message=f"Status ({status}) not in ([{', '.join(allowed)}]). Unable to transition to ({wanted}) for "
                f"Notebook Instance ({record['NotebookInstanceArn']})"
            )
        return record

    def notebook_config(self, name: str, verb: str) -> dict[str, Any]:
        """Return the record of a lifecycle configuration. Raises ValidationException if there is none.

        verb: for AWS's message, for example "describe".
        """
        if name not in self.notebook_configs:
            arn = self.resource_arn("notebook-instance-lifecycle-config", name)
            raise ValidationError(
                message=f"Unable to {verb} {CONFIG} '{arn}'. (Details: {CONFIG} does not exist.)"
            )
        return self.notebook_configs[name]

    def create_notebook_config(self, request: dict[str, Any]) -> str:
        """Create a lifecycle configuration. Return its ARN."""
        tags, name = request.pop("Tags", None), request["NotebookInstanceLifecycleConfigName"]
        arn = self.resource_arn("notebook-instance-lifecycle-config", name)
        if name in self.notebook_configs:
            raise ValidationError(
                message=f"Unable to create {CONFIG} {arn}. (Details: {CONFIG} already exists.)"
            )
        self.keep_tags(arn, tags)
        now = datetime.now(timezone.utc)
        self.notebook_configs[name] = {
            **request,
            "NotebookInstanceLifecycleConfigArn": arn,
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        return arn

    def delete_notebook_config(self, name: str) -> None:
        config = self.notebook_config(name, "delete")
        users = [n for n, r in self.notebooks.items() if r.get("NotebookInstanceLifecycleConfigName") == name]
        if users:
            raise ValidationError(
                message=f"Unable to delete {CONFIG}. (Details: it is used by {', '.join(users)}.)"
            )
        del self.notebook_configs[name]
        self.forget_tags(config["NotebookInstanceLifecycleConfigArn"])


def _described(request: dict[str, Any]) -> dict[str, Any]:
    return {RENAMED.get(key, key): value for key, value in request.items()}


def _check_platform(request: dict[str, Any]) -> None:
    """Raise ValidationException for a platform that AWS no longer supports."""
    platform = request.get("PlatformIdentifier", DEFAULTS["PlatformIdentifier"])
    if platform.startswith(UNSUPPORTED_PLATFORMS):
        raise ValidationError(
            message=f"PlatformIdentifier {platform} is no longer supported: use {DEFAULTS['PlatformIdentifier']}."
        )


def _set_status(record: dict[str, Any], status: str) -> None:
    record.update(NotebookInstanceStatus=status, LastModifiedTime=datetime.now(timezone.utc))


def _in_service(record: dict[str, Any]) -> None:
    record[CREATED] = True
    _set_status(record, "InService")


def _failed(record: dict[str, Any], config: dict[str, Any], error: NotStarted) -> None:
    """Set the status and the FailureReason, with AWS's message if a lifecycle script failed."""
    _set_status(record, "Failed")
    if not error.script:
        record["FailureReason"] = f"Internal Failure. {error}"
        return
    how = "took longer than 5 minutes" if error.status is None else f"failed with exit status {error.status}"
    record["FailureReason"] = (
        f"{CONFIG} '{config['NotebookInstanceLifecycleConfigArn']}' for Notebook Instance "
        f"'{record['NotebookInstanceArn']}' {how}. Please check your CloudWatch logs for more details if your Notebook "
        "Instance has Internet access."
    )
