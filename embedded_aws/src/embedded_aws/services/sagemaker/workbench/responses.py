"""SageMaker's operations on Studio and notebook instances."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from embedded_aws.services.sagemaker.requests import Response, page, validated
from embedded_aws.services.sagemaker.workbench.apps import JUPYTER_LAB, app_key
from embedded_aws.services.sagemaker.workbench.notebooks import CREATED
from embedded_aws.services.sagemaker.workbench.studio import update

APP_SUMMARY = (
    "AppType",
    "AppName",
    "DomainId",
    "SpaceName",
    "UserProfileName",
    "Status",
    "CreationTime",
    "ResourceSpec",
)
NOTEBOOK_SUMMARY = (
    "NotebookInstanceName",
    "NotebookInstanceArn",
    "NotebookInstanceStatus",
    "Url",
    "InstanceType",
    "CreationTime",
    "LastModifiedTime",
    "NotebookInstanceLifecycleConfigName",
)


class StudioResponse(Response):
    def create_domain(self) -> ActionResult:
        domain = self.sagemaker_backend.create_studio_domain(validated(self))
        return ActionResult({key: domain[key] for key in ("DomainArn", "DomainId", "Url")})

    def describe_domain(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.domain(validated(self)["DomainId"]))

    def update_domain(self) -> ActionResult:
        domain = self.sagemaker_backend.update_studio_domain(validated(self))
        return ActionResult({"DomainArn": domain["DomainArn"]})

    def list_domains(self) -> ActionResult:
        keys = ("DomainArn", "DomainId", "DomainName", "Status", "CreationTime", "LastModifiedTime", "Url")
        return _listing(self, self.sagemaker_backend.studio_domains, keys, "Domains")

    def delete_domain(self) -> ActionResult:
        request = validated(self)
        self.sagemaker_backend.delete_studio_domain(request["DomainId"], request.get("RetentionPolicy", {}))
        return EmptyResult()

    def create_user_profile(self) -> ActionResult:
        arn = self.sagemaker_backend.create_in_domain("UserProfile", validated(self))
        return ActionResult({"UserProfileArn": arn})

    def describe_user_profile(self) -> ActionResult:
        return ActionResult(self._user_profile(validated(self)))

    def update_user_profile(self) -> ActionResult:
        profile = update(self._user_profile(validated(self)), validated(self))
        return ActionResult({"UserProfileArn": profile["UserProfileArn"]})

    def list_user_profiles(self) -> ActionResult:
        keys = ("DomainId", "UserProfileName", "Status", "CreationTime", "LastModifiedTime")
        return _listing(self, self.sagemaker_backend.user_profiles, keys, "UserProfiles")

    def delete_user_profile(self) -> ActionResult:
        request = validated(self)
        self.sagemaker_backend.delete_user_profile_record(request["DomainId"], request["UserProfileName"])
        return EmptyResult()

    def create_space(self) -> ActionResult:
        return ActionResult({"SpaceArn": self.sagemaker_backend.create_in_domain("Space", validated(self))})

    def describe_space(self) -> ActionResult:
        return ActionResult(self._space(validated(self)))

    def update_space(self) -> ActionResult:
        space = update(self._space(validated(self)), validated(self))
        return ActionResult({"SpaceArn": space["SpaceArn"]})

    def list_spaces(self) -> ActionResult:
        keys = ("DomainId", "SpaceName", "Status", "CreationTime", "LastModifiedTime", "SpaceDisplayName")
        return _listing(self, self.sagemaker_backend.spaces, keys, "Spaces")

    def delete_space(self) -> ActionResult:
        request = validated(self)
        self.sagemaker_backend.delete_space_record(request["DomainId"], request["SpaceName"])
        return EmptyResult()

    def create_studio_lifecycle_config(self) -> ActionResult:
        arn = self.sagemaker_backend.create_studio_config(validated(self))
        return ActionResult({"StudioLifecycleConfigArn": arn})

    def describe_studio_lifecycle_config(self) -> ActionResult:
        return ActionResult(
            self.sagemaker_backend.studio_config(validated(self)["StudioLifecycleConfigName"])
        )

    def list_studio_lifecycle_configs(self) -> ActionResult:
        keys = (
            "StudioLifecycleConfigArn",
            "StudioLifecycleConfigName",
            "CreationTime",
            "LastModifiedTime",
            "StudioLifecycleConfigAppType",
        )
        return _listing(self, self.sagemaker_backend.studio_configs, keys, "StudioLifecycleConfigs")

    def delete_studio_lifecycle_config(self) -> ActionResult:
        self.sagemaker_backend.delete_studio_config_record(validated(self)["StudioLifecycleConfigName"])
        return EmptyResult()

    def _user_profile(self, request: dict[str, Any]) -> dict[str, Any]:
        profile: dict[str, Any] = self.sagemaker_backend.user_profile(
            request["DomainId"], request["UserProfileName"]
        )
        return profile

    def _space(self, request: dict[str, Any]) -> dict[str, Any]:
        space: dict[str, Any] = self.sagemaker_backend.space(request["DomainId"], request["SpaceName"])
        return space


class AppResponse(Response):
    def create_app(self) -> ActionResult:
        request = validated(self)
        if request["AppType"] != JUPYTER_LAB:
            raise NotImplementedError(f"CreateApp of type {request['AppType']}; it runs {JUPYTER_LAB}")
        return ActionResult({"AppArn": self.sagemaker_backend.create_app_record(request)})

    def describe_app(self) -> ActionResult:
        app = self.sagemaker_backend.app(app_key(validated(self)))
        return ActionResult({k: v for k, v in app.items() if k not in ("EndTime", "IdleMinutes", "Role")})

    def list_apps(self) -> ActionResult:
        request = validated(self)
        wanted = {
            member: request[f"{member}Equals"]
            for member in ("DomainId", "SpaceName", "UserProfileName")
            if f"{member}Equals" in request
        }
        found = [
            {key: app[key] for key in APP_SUMMARY if key in app}
            for app in self.sagemaker_backend.listed_apps()
            if all(app.get(member) == value for member, value in wanted.items())
        ]
        return ActionResult(page(found, request, "Apps"))

    def delete_app(self) -> ActionResult:
        self.sagemaker_backend.delete_app_record(app_key(validated(self)))
        return EmptyResult()

    def create_presigned_domain_url(self) -> ActionResult:
        return ActionResult({"AuthorizedUrl": self.sagemaker_backend.studio_url(validated(self))})


class NotebookResponse(Response):
    def create_notebook_instance(self) -> ActionResult:
        return ActionResult({"NotebookInstanceArn": self.sagemaker_backend.create_notebook(validated(self))})

    def describe_notebook_instance(self) -> ActionResult:
        record = self.sagemaker_backend.notebook(validated(self)["NotebookInstanceName"])
        return ActionResult({key: value for key, value in record.items() if key != CREATED})

    def list_notebook_instances(self) -> ActionResult:
        found = [
            {key: record[key] for key in NOTEBOOK_SUMMARY if key in record}
            for record in self.sagemaker_backend.notebooks.values()
        ]
        return ActionResult(page(found, validated(self), "NotebookInstances", "NotebookInstanceName"))

    def update_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.update_notebook(validated(self))
        return EmptyResult()

    def start_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.start_notebook(validated(self)["NotebookInstanceName"])
        return EmptyResult()

    def stop_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.stop_notebook(validated(self)["NotebookInstanceName"])
        return EmptyResult()

    def delete_notebook_instance(self) -> ActionResult:
        self.sagemaker_backend.delete_notebook(validated(self)["NotebookInstanceName"])
        return EmptyResult()

    def create_presigned_notebook_instance_url(self) -> ActionResult:
        url = self.sagemaker_backend.notebook_url(validated(self)["NotebookInstanceName"])
        return ActionResult({"AuthorizedUrl": url})

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


class WorkbenchResponse(StudioResponse, AppResponse, NotebookResponse):
    """All operations of the workbench."""


def _listing(
    response: Response, store: dict[Any, dict[str, Any]], keys: tuple[str, ...], name: str
) -> ActionResult:
    request = validated(response)
    domain, part = request.get("DomainIdEquals"), request.get("NameContains", "")
    found = [
        {key: record[key] for key in keys if key in record}
        for record in store.values()
        if domain in (None, record.get("DomainId"))
        and part in str(record.get("StudioLifecycleConfigName", part))
        and request.get("UserProfileNameContains", "") in record.get("UserProfileName", "")
        and request.get("SpaceNameContains", "") in record.get("SpaceName", "")
    ]
    return ActionResult(page(found, request, name))
