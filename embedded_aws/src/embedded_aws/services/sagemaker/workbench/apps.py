"""Studio's applications: JupyterLab in a private space, which is deleted when nobody uses it; presigned URLs to it."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from moto.sagemaker.exceptions import ResourceInUseException, ResourceNotFound, ValidationError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.sagemaker.workbench.lab import Lifecycle, NotStarted, Plan
from embedded_aws.services.sagemaker.workbench.labs import Labs
from embedded_aws.services.sagemaker.workbench.studio import StudioBackend
from embedded_aws.services.sagemaker.workbench.tickets import NothingRuns

JUPYTER_LAB = "JupyterLab"
LOG_GROUP = "/aws/sagemaker/studio"
USER_HOME = "/home/sagemaker-user"  # the space's volume: it outlives the application
URL_SECONDS = 300  # that a presigned URL is good for, if the request does not say
GONE = ("Deleted", "Failed")  # the states in which an application is in nobody's way
DELETED_SHOWN = timedelta(hours=24)  # that a deleted application is listed
AppKey = tuple[str, str, str, str]  # domain's id, space, type, name


class AppsBackend(StudioBackend):
    """Applications by AppKey."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.apps: dict[AppKey, dict[str, Any]] = {}

    def app(self, key: AppKey) -> dict[str, Any]:
        """Raises ResourceNotFound if there is none."""
        if key not in self.apps:
            raise ResourceNotFound(message=f"App [{'/'.join(key)}] does not exist.")
        return self.apps[key]

    def listed_apps(self) -> list[dict[str, Any]]:
        """All that there are, and those that were deleted within a day, as on AWS."""
        since = datetime.now(timezone.utc) - DELETED_SHOWN
        for key, app in list(self.apps.items()):
            if app["Status"] == "Deleted" and app["EndTime"] < since:
                del self.apps[key]
        return list(self.apps.values())

    def create_app_record(self, request: dict[str, Any]) -> str:
        """Returns the ARN. It starts in the background: its status is Pending, then InService or Failed."""
        tags, key = request.pop("Tags", None), app_key(request)
        domain, space = self.domain(key[0]), self.space(key[0], key[1])
        owner = space.get("OwnershipSettings", {}).get("OwnerUserProfileName")
        if owner is None or space.get("SpaceSharingSettings", {}).get("SharingType") != "Private":
            raise NotImplementedError("CreateApp in a shared space; it runs applications in private ones")
        arn = self.resource_arn("app", "/".join(key))
        settings = _merged(
            domain.get("DefaultUserSettings", {}), self.user_profile(key[0], owner).get("UserSettings", {})
        )
        own = space.get("SpaceSettings", {}).get("JupyterLabAppSettings", {})
        usual = settings.get("JupyterLabAppSettings", {})
        spec = {
            "InstanceType": "ml.t3.medium",
            **usual.get("DefaultResourceSpec", {}),
            **own.get("DefaultResourceSpec", {}),
            **request.get("ResourceSpec", {}),
        }
        self._config_of(spec)
        if not (role := settings.get("ExecutionRole")):
            raise ValidationError(
                message=f"Neither the user profile {owner} nor its domain has an ExecutionRole."
            )
        try:
            self._labs.check_role(role, self.region_name)
        except RoleNotAssumable as error:
            raise ValidationError(message=str(error)) from None
        with self._labs.states:  # from the look at what there is to the start: two requests may come at once
            there = [app["AppName"] for app in self._apps_of(key[0], key[1]) if app["Status"] not in GONE]
            if key[3] in there:
                raise ResourceInUseException(message=f"App {arn} already exists.")
            if there:
                raise ResourceInUseException(
                    message=f"Space {space['SpaceArn']} already has the application {there[0]}."
                )
            self.keep_tags(arn, tags)
            self.apps[key] = {
                **dict(zip(("DomainId", "SpaceName", "AppType", "AppName"), key, strict=True)),
                "AppArn": arn,
                "CreationTime": datetime.now(timezone.utc),
                "ResourceSpec": spec,
                "Role": role,
                "IdleMinutes": _idle_minutes(usual, own),
                "Status": "Pending",
            }
            self._boot_app(key)
        return arn

    def delete_app_record(self, key: AppKey) -> None:
        """In the background: its status is Deleting, then Deleted. The files of the space stay.

        Raises ValidationException of a failed one, ResourceInUse in every other state but InService.
        """
        with self._labs.states:
            app = self.app(key)
            if app["Status"] == "Failed":
                raise ValidationError(message=f"App {app['AppArn']} is Failed: it need not be deleted.")
            if app["Status"] != "InService":
                raise ResourceInUseException(message=f"App {app['AppArn']} is {app['Status']}.")
            app["Status"] = "Deleting"
        self._labs.end(self._app_plan_name(key), partial(self._deleted, app))

    def delete_space_record(self, domain: str, name: str) -> None:
        """With its files. Raises ResourceInUse if an application is there."""
        space = self.space(domain, name)
        there = [app["AppName"] for app in self._apps_of(domain, name) if app["Status"] not in GONE]
        if there:
            raise ResourceInUseException(
                message=f"Unable to delete Space {space['SpaceArn']} because it still has the application(s) "
                f"{', '.join(there)}: delete them first."
            )
        for key in [key for key in self.apps if key[:2] == (domain, name)]:
            del self.apps[key]
        super().delete_space_record(domain, name)
        shutil.rmtree(self._space_folder(domain, name), ignore_errors=True)

    def update_studio_domain(self, request: dict[str, Any]) -> dict[str, Any]:
        """The record. Raises ResourceInUse for another network access while applications are there."""
        domain = self.domain(request["DomainId"])
        access = request.get("AppNetworkAccessType", domain["AppNetworkAccessType"])
        there = [
            a["AppName"]
            for k, a in self.apps.items()
            if k[0] == request["DomainId"] and a["Status"] not in GONE
        ]
        if access != domain["AppNetworkAccessType"] and there:
            raise ResourceInUseException(
                message=f"AppNetworkAccessType of Domain {domain['DomainArn']} cannot be modified while it has the "
                f"application(s) {', '.join(there)}."
            )
        return super().update_studio_domain(request)

    def delete_studio_config_record(self, name: str) -> None:
        """Raises ResourceInUse while an application runs with it, too."""
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
        """A presigned URL to the running JupyterLab of a space. Raises ResourceNotFound, ValidationException."""
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
        """Bring back what ran when the embedded AWS ended, as on AWS it would run still; end what was ending."""
        for key, app in list(self.apps.items()):
            if app["Status"] in ("Pending", "InService"):
                app["Status"] = "Pending"
                self._boot_app(key)
            elif app["Status"] == "Deleting":
                self._deleted(app)

    @property
    def _labs(self) -> Labs:
        return self.runtime.get(Labs)

    def _apps_of(self, domain: str, space: str) -> list[dict[str, Any]]:
        return [app for key, app in self.apps.items() if key[:2] == (domain, space)]

    def _open_studio(self, domain: str, profile: str, space: str | None) -> str:
        for key, app in list(self.apps.items()):
            owner = self.spaces.get(key[:2], {}).get("OwnershipSettings", {}).get("OwnerUserProfileName")
            if key[0] == domain and (key[1] == space or (space is None and owner == profile)):
                url = self._labs.url(self._app_plan_name(key))
                if app["Status"] == "InService" and url:
                    return url
        whose = f"The space {space}" if space else f"No space of {profile}"
        raise NothingRuns(
            f"{whose} has {'no' if space else 'a'} running application: create one, and open it again."
        )

    def _config_of(self, spec: dict[str, Any]) -> dict[str, Any] | None:
        """The lifecycle configuration that a resource specification names. Raises ResourceNotFound."""
        arn = spec.get("LifecycleConfigArn", "None")
        return None if arn == "None" else self.studio_config(arn.rpartition("/")[2])

    def _app_plan_name(self, key: AppKey) -> str:
        return f"app/{self.region_name}/{'/'.join(key)}"

    def _space_folder(self, domain: str, space: str):
        return self.runtime.folder("spaces", self.region_name, domain, space)

    def _boot_app(self, key: AppKey) -> None:
        app, stream = self.apps[key], "/".join(key)
        try:
            config = self._config_of(app["ResourceSpec"])
        except ResourceNotFound:  # deleted since it was created
            config = None
        script = config and Lifecycle(
            stream=f"{stream}/LifecycleConfigOnStart", content=config["StudioLifecycleConfigContent"]
        )
        plan = Plan(
            name=self._app_plan_name(key),
            folder=self._space_folder(key[0], key[1]),
            home=USER_HOME,
            kept=USER_HOME,
            scripts_home=USER_HOME,
            role_arn=app["Role"],
            region=self.region_name,
            scripts=(script,) if script else (),
            stream=stream,
        )
        idle = app["IdleMinutes"] and (app["IdleMinutes"], partial(self._sleep, key, app))
        self._labs.start(plan, LOG_GROUP, partial(_in_service, app), partial(_failed, app), idle or None)

    def _sleep(self, key: AppKey, app: dict[str, Any]) -> None:
        if self.apps.get(key) is app and app["Status"] == "InService":
            self.delete_app_record(key)

    def _deleted(self, app: dict[str, Any]) -> None:
        app.update(Status="Deleted", EndTime=datetime.now(timezone.utc))
        self.forget_tags(app["AppArn"])


def app_key(request: dict[str, Any]) -> AppKey:
    """Raises ValidationException where no space is named."""
    if "SpaceName" not in request:
        raise ValidationError(message=f"A {JUPYTER_LAB} application is in a space: SpaceName must be given.")
    return request["DomainId"], request["SpaceName"], request["AppType"], request["AppName"]


def _merged(usual: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Settings of the domain, and those of a user over them, part by part."""
    return {
        key: _merged(usual[key], own[key])
        if isinstance(usual.get(key), dict) and isinstance(own.get(key), dict)
        else own.get(key, usual.get(key))
        for key in {**usual, **own}
    }


def _idle_minutes(usual: dict[str, Any], own: dict[str, Any]) -> int | None:
    """Minutes without use after which the application goes, within the bounds of domain and user; None for never."""
    bounds = usual.get("AppLifecycleManagement", {}).get("IdleSettings", {})
    if bounds.get("LifecycleManagement") != "ENABLED":
        return None
    space = own.get("AppLifecycleManagement", {}).get("IdleSettings", {})
    minutes = space.get("IdleTimeoutInMinutes", bounds.get("IdleTimeoutInMinutes"))
    if minutes is None:
        return None
    minutes = max(minutes, bounds.get("MinIdleTimeoutInMinutes", minutes))
    return min(minutes, bounds.get("MaxIdleTimeoutInMinutes", minutes))


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
