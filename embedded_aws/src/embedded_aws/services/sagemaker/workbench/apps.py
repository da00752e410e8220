"""Records of Studio applications: JupyterLab in a private space, deleted when idle, opened by presigned URLs."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from moto.sagemaker.exceptions import ResourceInUseException, ResourceNotFound, ValidationError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.sagemaker.workbench.lab import Lifecycle, NotStarted, Plan
from embedded_aws.services.sagemaker.workbench.labs import Labs
from embedded_aws.services.sagemaker.workbench.studio import StudioBackend
from embedded_aws.services.sagemaker.workbench.tickets import TargetNotRunning

JUPYTER_LAB = "JupyterLab"
LOG_GROUP = "/aws/sagemaker/studio"
USER_HOME = "/home/sagemaker-user"  # the volume of the space, kept when the application is deleted
URL_SECONDS = 300  # lifetime of a presigned URL, if the request sets none
GONE = ("Deleted", "Failed")  # states in which another application can be created
DELETED_SHOWN = timedelta(hours=24)  # how long a deleted application is listed


class AppKey(NamedTuple):
    """The key of an application."""

    domain: str
    space: str
    kind: str
    name: str


class AppsBackend(StudioBackend):
    """Applications by AppKey."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.apps: dict[AppKey, dict[str, Any]] = {}

    def app(self, key: AppKey) -> dict[str, Any]:
        """Return the record of an application. Raises ResourceNotFound."""
        if key not in self.apps:
            raise ResourceNotFound(message=f"App [{'/'.join(key)}] does not exist.")
        return self.apps[key]

    def listed_apps(self) -> list[dict[str, Any]]:
        """Return all applications, and those deleted within the last day, as on AWS."""
        since = datetime.now(timezone.utc) - DELETED_SHOWN
        for key, app in list(self.apps.items()):
            if app["Status"] == "Deleted" and app["EndTime"] < since:
                del self.apps[key]
        return list(self.apps.values())

    def create_app_record(self, request: dict[str, Any]) -> str:
        """Create an application and start it in the background. Return its ARN.

        Its status is Pending, then InService or Failed.
        """
        tags, key = request.pop("Tags", None), app_key(request)
        self.domain(key.domain)
        space = self.space(key.domain, key.space)
        arn = self.resource_arn("app", "/".join(key))
        settings = self._user_settings(key.domain, space)
        defaults = settings.get("JupyterLabAppSettings", {})
        own = space.get("SpaceSettings", {}).get("JupyterLabAppSettings", {})
        spec = {
            "InstanceType": "ml.t3.medium",
            **defaults.get("DefaultResourceSpec", {}),
            **own.get("DefaultResourceSpec", {}),
            **request.get("ResourceSpec", {}),
        }
        self._config_of(spec)
        role = settings["ExecutionRole"]
        try:
            self._labs.check_role(role, self.region_name)
        except RoleNotAssumable as error:
            raise ValidationError(message=str(error)) from None
        with self._labs.states:  # held from the check to the start: two requests may arrive at once
            existing = self._existing_apps(key.domain, key.space)
            if key.name in existing:
                raise ResourceInUseException(message=f"App {arn} already exists.")
            if existing:
                raise ResourceInUseException(
                    message=f"Space {space['SpaceArn']} already has the application {existing[0]}."
                )
            self.keep_tags(arn, tags)
            self.apps[key] = {
                **dict(zip(("DomainId", "SpaceName", "AppType", "AppName"), key, strict=True)),
                "AppArn": arn,
                "CreationTime": datetime.now(timezone.utc),
                "ResourceSpec": spec,
                "Role": role,
                "IdleMinutes": _idle_minutes(defaults, own),
                "Status": "Pending",
            }
            self._start_app(key)
        return arn

    def _user_settings(self, domain: str, space: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of the owner of a private space, with a role. Raises ValidationException."""
        owner = space.get("OwnershipSettings", {}).get("OwnerUserProfileName")
        if owner is None or space.get("SpaceSharingSettings", {}).get("SharingType") != "Private":
            raise NotImplementedError("CreateApp in a shared space; it runs applications in private spaces")
        settings = _merged(
            self.domain(domain).get("DefaultUserSettings", {}),
            self.user_profile(domain, owner).get("UserSettings", {}),
        )
        if not settings.get("ExecutionRole"):
            raise ValidationError(
                message=f"Neither the user profile {owner} nor its domain has an ExecutionRole."
            )
        return settings

    def delete_app_record(self, key: AppKey) -> None:
        """Delete an application in the background. The files of its space stay.

        Its status is Deleting, then Deleted. Raises ValidationException if it is Failed, ResourceInUse if it is not
        InService.
        """
        with self._labs.states:
            app = self.app(key)
            if app["Status"] == "Failed":
                raise ValidationError(
                    message=f"App {app['AppArn']} is Failed: it does not have to be deleted."
                )
            if app["Status"] != "InService":
                raise ResourceInUseException(message=f"App {app['AppArn']} is {app['Status']}.")
            app["Status"] = "Deleting"
        self._labs.end(self._app_plan_name(key), partial(self._deleted, app))

    def delete_space_record(self, domain: str, name: str) -> None:
        """Delete a space with its files. Raises ResourceInUse while it has an application."""
        space = self.space(domain, name)
        if existing := self._existing_apps(domain, name):
            raise ResourceInUseException(
                message=f"Unable to delete Space {space['SpaceArn']} because it still has the application(s) "
                f"{', '.join(existing)}: delete them first."
            )
        for key in [key for key in self.apps if (key.domain, key.space) == (domain, name)]:
            del self.apps[key]
        super().delete_space_record(domain, name)
        shutil.rmtree(self._space_folder(domain, name), ignore_errors=True)

    def update_studio_domain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Update a domain. Return the record. Raises ResourceInUse for a change of network access while it has applications."""
        domain = self.domain(request["DomainId"])
        access = request.get("AppNetworkAccessType", domain["AppNetworkAccessType"])
        existing = [
            app["AppName"]
            for key, app in self.apps.items()
            if key.domain == request["DomainId"] and app["Status"] not in GONE
        ]
        if access != domain["AppNetworkAccessType"] and existing:
            raise ResourceInUseException(
                message=f"AppNetworkAccessType of Domain {domain['DomainArn']} cannot be modified while it has the "
                f"application(s) {', '.join(existing)}."
            )
        return super().update_studio_domain(request)

    def delete_studio_config_record(self, name: str) -> None:
        """Delete a lifecycle configuration. Raises ResourceInUse also while an application uses it."""
        arn = self.studio_config(name)["StudioLifecycleConfigArn"]
        users = [
            "/".join(key)
            for key, app in self.apps.items()
            if app["Status"] not in GONE and app["ResourceSpec"].get("LifecycleConfigArn") == arn
        ]
        if users:
            raise ResourceInUseException(
                message=f"StudioLifecycleConfig {arn} is used by the running application(s) {', '.join(users)}."
            )
        super().delete_studio_config_record(name)

    def studio_url(self, request: dict[str, Any]) -> str:
        """Return a presigned URL of the JupyterLab in a space. Raises ResourceNotFound, ValidationException."""
        domain, profile = request["DomainId"], request["UserProfileName"]
        self.domain(domain)
        self.user_profile(domain, profile)
        landing = request.get("LandingUri", "studio::")
        if not landing.startswith(("studio::", f"app:{JUPYTER_LAB}:")):
            raise NotImplementedError(
                f"CreatePresignedDomainUrl with LandingUri {landing}; it opens studio:: and app:{JUPYTER_LAB}:"
            )
        if space := request.get("SpaceName"):
            owner = (
                self.space(domain, space).get("OwnershipSettings", {}).get("OwnerUserProfileName", profile)
            )
            if owner != profile:
                raise ValidationError(
                    message=f"Space [{space}] is a private space of {owner}, not of {profile}."
                )
        seconds = request.get("ExpiresInSeconds", URL_SECONDS)
        return self._labs.tickets.issue(seconds, partial(self._open_studio, domain, profile, space))

    def resume_apps(self) -> None:
        """After a restart of the embedded AWS, start running applications again and finish deletions."""
        for key, app in list(self.apps.items()):
            if app["Status"] in ("Pending", "InService"):
                app["Status"] = "Pending"
                self._start_app(key)
            elif app["Status"] == "Deleting":
                self._deleted(app)

    @property
    def _labs(self) -> Labs:
        return self.runtime.get(Labs)

    def _existing_apps(self, domain: str, space: str) -> list[str]:
        """Return the names of the applications in a space that are neither deleted nor failed."""
        return [
            app["AppName"]
            for key, app in self.apps.items()
            if (key.domain, key.space) == (domain, space) and app["Status"] not in GONE
        ]

    def _open_studio(self, domain: str, profile: str, space: str | None) -> str:
        for key, app in list(self.apps.items()):
            owner = (
                self.spaces.get((key.domain, key.space), {})
                .get("OwnershipSettings", {})
                .get("OwnerUserProfileName")
            )
            if key.domain == domain and (key.space == space or (space is None and owner == profile)):
                url = self._labs.url(self._app_plan_name(key))
                if app["Status"] == "InService" and url:
                    return url
        none = f"The space {space} has no" if space else f"No space of {profile} has a"
        raise TargetNotRunning(f"{none} running application: create one, then request a new URL.")

    def _config_of(self, spec: dict[str, Any]) -> dict[str, Any] | None:
        """Return the lifecycle configuration of a ResourceSpec, or None. Raises ResourceNotFound."""
        arn = spec.get("LifecycleConfigArn", "None")
        return None if arn == "None" else self.studio_config(arn.rpartition("/")[2])

    def _app_plan_name(self, key: AppKey) -> str:
        return f"app/{self.region_name}/{'/'.join(key)}"

    def _space_folder(self, domain: str, space: str) -> Path:
        return self.runtime.folder("spaces", self.region_name, domain, space)

    def _start_app(self, key: AppKey) -> None:
        app, stream = self.apps[key], "/".join(key)
        try:
            config = self._config_of(app["ResourceSpec"])
        except ResourceNotFound:  # deleted after the application was created
            config = None
        script = config and Lifecycle(
            stream=f"{stream}/LifecycleConfigOnStart", content=config["StudioLifecycleConfigContent"]
        )
        plan = Plan(
            name=self._app_plan_name(key),
            folder=self._space_folder(key.domain, key.space),
            home=USER_HOME,
            kept=USER_HOME,
            scripts_home=USER_HOME,
            role_arn=app["Role"],
            region=self.region_name,
            scripts=(script,) if script else (),
            stream=stream,
        )
        idle = app["IdleMinutes"] and (app["IdleMinutes"], partial(self._delete_idle, key, app))
        self._labs.start(plan, LOG_GROUP, partial(_in_service, app), partial(_failed, app), idle or None)

    def _delete_idle(self, key: AppKey, app: dict[str, Any]) -> None:
        if self.apps.get(key) is app and app["Status"] == "InService":
            self.delete_app_record(key)

    def _deleted(self, app: dict[str, Any]) -> None:
        app.update(Status="Deleted", EndTime=datetime.now(timezone.utc))
        self.forget_tags(app["AppArn"])


def app_key(request: dict[str, Any]) -> AppKey:
    """Return the key of the application in a request. Raises ValidationException without a space."""
    if "SpaceName" not in request:
        raise ValidationError(message=f"A {JUPYTER_LAB} application runs in a space: set SpaceName.")
    return AppKey(request["DomainId"], request["SpaceName"], request["AppType"], request["AppName"])


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge settings recursively. own: takes precedence over `defaults`."""
    return {
        key: _merged(defaults[key], own[key])
        if isinstance(defaults.get(key), dict) and isinstance(own.get(key), dict)
        else own.get(key, defaults.get(key))
        for key in {**defaults, **own}
    }


def _idle_minutes(user: dict[str, Any], space: dict[str, Any]) -> int | None:
    """Return the idle minutes after which an application is deleted, or None for never.

    user: JupyterLabAppSettings of the domain and user profile, which set bounds.
    space: those of the space.
    """
    bounds = user.get("AppLifecycleManagement", {}).get("IdleSettings", {})
    if bounds.get("LifecycleManagement") != "ENABLED":
        return None
    idle = space.get("AppLifecycleManagement", {}).get("IdleSettings", {})
    minutes = idle.get("IdleTimeoutInMinutes", bounds.get("IdleTimeoutInMinutes"))
    if minutes is None:
        return None
    minutes = max(minutes, bounds.get("MinIdleTimeoutInMinutes", minutes))
    return int(min(minutes, bounds.get("MaxIdleTimeoutInMinutes", minutes)))


def _in_service(app: dict[str, Any]) -> None:
    app["Status"] = "InService"


def _failed(app: dict[str, Any], error: NotStarted) -> None:
    app["Status"] = "Failed"
    if not error.script:
        app["FailureReason"] = f"InternalFailure: {error}"
        return
    arn = app["ResourceSpec"]["LifecycleConfigArn"]
    how = "timed out" if error.status is None else f"failed with exit status {error.status}"
    app["FailureReason"] = (
        f"ConfigurationError: Lifecycle configuration {arn} {how}. Please check your CloudWatch logs for more details."
    )
