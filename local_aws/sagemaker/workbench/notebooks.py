"""Notebook instances and their lifecycle configurations: what was asked, and a status; no machine is behind it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError

from local_aws.sagemaker.requests import Operations, page, validated
from local_aws.sagemaker.tags import TagStore

# What a request and a description call differently.
RENAMED = {"LifecycleConfigName": "NotebookInstanceLifecycleConfigName", "SecurityGroupIds": "SecurityGroups"}
DEFAULTS = {
    "DirectInternetAccess": "Enabled",
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2-v3",
    "VolumeSizeInGB": 5,
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
}
SUMMARY = (
    "NotebookInstanceName", "NotebookInstanceArn", "NotebookInstanceStatus", "Url", "InstanceType", "CreationTime",
    "LastModifiedTime", "NotebookInstanceLifecycleConfigName",
)  # fmt: skip
CONFIG = "Notebook Instance Lifecycle Config"


class Notebooks(TagStore):
    """Records by name."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.notebooks: dict[str, dict[str, Any]] = {}
        self.notebook_configs: dict[str, dict[str, Any]] = {}

    def notebook(self, name: str) -> dict[str, Any]:
        """Raises ValidationException if there is none."""
        if name not in self.notebooks:
            raise ValidationError(message="RecordNotFound")
        return self.notebooks[name]

    def create_notebook(self, request: dict[str, Any]) -> str:
        """Returns the ARN. It is in service at once."""
        tags, name = request.pop("Tags", None), request["NotebookInstanceName"]
        arn = self.resource_arn("notebook-instance", name)
        if name in self.notebooks:
            raise ValidationError(message=f"Cannot create a duplicate Notebook Instance ({arn})")
        if config := request.get("LifecycleConfigName"):
            self.notebook_config(config, "create Notebook Instance with")
        if request.get("DirectInternetAccess") == "Disabled" and "SubnetId" not in request:
            raise ValidationError(message="DirectInternetAccess cannot be Disabled without a SubnetId.")
        self.keep_tags(arn, tags)
        now = datetime.now(timezone.utc)
        self.notebooks[name] = {
            **DEFAULTS,
            **_described(request),
            "NotebookInstanceArn": arn,
            "NotebookInstanceStatus": "InService",
            "Url": f"{name}.notebook.{self.region_name}.sagemaker.aws",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        return arn

    def update_notebook(self, request: dict[str, Any]) -> None:
        record = self._in_state(request["NotebookInstanceName"], ("Stopped", "Failed"), "Updating")
        if request.pop("DisassociateLifecycleConfig", False):
            record.pop("NotebookInstanceLifecycleConfigName", None)
        record.update(_described(request), LastModifiedTime=datetime.now(timezone.utc))

    def move_notebook(self, name: str, status: str, allowed: tuple[str, ...]) -> None:
        """Give it another status, if it has one of those allowed."""
        self._in_state(name, allowed, status)["NotebookInstanceStatus"] = status

    def delete_notebook(self, name: str) -> None:
        record = self._in_state(name, ("Stopped", "Failed"), "Deleting")
        del self.notebooks[name]
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
        """Raises ValidationException if there is none."""
        if name not in self.notebook_configs:
            arn = self.resource_arn("notebook-instance-lifecycle-config", name)
            raise ValidationError(
                message=f"Unable to {verb} {CONFIG} '{arn}'. (Details: {CONFIG} does not exist.)"
            )
        return self.notebook_configs[name]

    def create_notebook_config(self, request: dict[str, Any]) -> str:
        """Returns the ARN."""
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


class NotebookOperations(Operations):
    def create_notebook_instance(self) -> ActionResult:
        return ActionResult({"NotebookInstanceArn": self.sagemaker_backend.create_notebook(validated(self))})

    def describe_notebook_instance(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.notebook(validated(self)["NotebookInstanceName"]))

    def list_notebook_instances(self) -> ActionResult:
        found = [
            {key: record[key] for key in SUMMARY if key in record}
            for record in self.sagemaker_backend.notebooks.values()
        ]
        return ActionResult(page(found, validated(self), "NotebookInstances", "NotebookInstanceName"))

    def update_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.update_notebook(validated(self))
        return EmptyResult()

    def start_notebook_instance(self) -> ActionResult:
        name = validated(self)["NotebookInstanceName"]
        self.sagemaker_backend.move_notebook(name, "InService", ("Stopped", "Failed"))
        return EmptyResult()

    def stop_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.move_notebook(
            validated(self)["NotebookInstanceName"], "Stopped", ("InService",)
        )
        return EmptyResult()

    def delete_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.delete_notebook(validated(self)["NotebookInstanceName"])
        return EmptyResult()

    def create_notebook_instance_lifecycle_config(self) -> ActionResult:
        arn = self.sagemaker_backend.create_notebook_config(validated(self))
        return ActionResult({"NotebookInstanceLifecycleConfigArn": arn})

    def describe_notebook_instance_lifecycle_config(self) -> ActionResult:
        name = validated(self)["NotebookInstanceLifecycleConfigName"]
        return ActionResult(self.sagemaker_backend.notebook_config(name, "describe"))

    def update_notebook_instance_lifecycle_config(self) -> ActionResult:
        request = validated(self)
        config = self.sagemaker_backend.notebook_config(
            request["NotebookInstanceLifecycleConfigName"], "update"
        )
        config.update(request, LastModifiedTime=datetime.now(timezone.utc))
        return EmptyResult()

    def list_notebook_instance_lifecycle_configs(self) -> ActionResult:
        key = "NotebookInstanceLifecycleConfigs"
        found = [
            {k: v for k, v in config.items() if k not in ("OnCreate", "OnStart")}
            for config in self.sagemaker_backend.notebook_configs.values()
        ]
        return ActionResult(page(found, validated(self), key, "NotebookInstanceLifecycleConfigName"))

    def delete_notebook_instance_lifecycle_config(self) -> ActionResult:
        self.sagemaker_backend.delete_notebook_config(validated(self)["NotebookInstanceLifecycleConfigName"])
        return EmptyResult()


def _described(request: dict[str, Any]) -> dict[str, Any]:
    return {RENAMED.get(key, key): value for key, value in request.items()}
