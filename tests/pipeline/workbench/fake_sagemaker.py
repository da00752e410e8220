"""A fake SageMaker with Studio and a notebook instance. Every description advances their status by a step."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

ARN = "arn:aws:sagemaker:us-east-1:123456789012:domain"


def missing(operation: str, code: str = "ResourceNotFound") -> ClientError:
    return refused(operation, code, "RecordNotFound")


def refused(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class FakeSageMaker:
    """The workbench's part of SageMaker.

    domains: id to name.
    apps: (domain, space) to status and kind.
    notebook: the description of the notebook instance.
    calls: (operation, arguments) of each call that changes something.
    fails: why applications and instances do not start.
    raced: whether somebody else starts them just before.
    """

    def __init__(self) -> None:
        self.domains: dict[str, str] = {}
        self.apps: dict[tuple[str, str], dict[str, Any]] = {}
        self.notebook: dict[str, Any] | None = None
        self.calls: list[tuple[str, dict]] = []
        self.fails = ""
        self.raced = False

    def named(self, operation: str) -> list[dict]:
        return [arguments for name, arguments in self.calls if name == operation]

    def get_paginator(self, operation: str):
        fake = self

        class Pages:
            def paginate(self, **arguments):
                return [getattr(fake, operation)(**arguments)]

        return Pages()

    def list_domains(self):
        found = [{"DomainId": i, "DomainName": n, "DomainArn": f"{ARN}/{i}"} for i, n in self.domains.items()]
        return {"Domains": found}

    def list_notebook_instances(self, **_):
        found = [self.notebook] if self.notebook else []
        return {"NotebookInstances": [{"NotebookInstanceName": n["NotebookInstanceName"]} for n in found]}

    def list_apps(self, DomainIdEquals: str):
        found = [
            {"DomainId": domain, "SpaceName": space, "AppType": "JupyterLab", "AppName": "default", **app}
            for (domain, space), app in self.apps.items()
            if domain == DomainIdEquals
        ]
        for app in self.apps.values():
            self._move(app, {"Deleting": "Deleted", "Pending": "InService"})
        return {"Apps": found}

    def describe_app(self, DomainId: str, SpaceName: str, AppType: str, AppName: str):
        app = self.apps.get((DomainId, SpaceName))
        if app is None:
            raise missing("DescribeApp")
        shown = dict(app)
        self._move(app, {"Pending": "Failed" if self.fails else "InService", "Deleting": "Deleted"})
        return {**shown, "FailureReason": self.fails} if shown["Status"] == "Failed" else shown

    def create_app(self, DomainId: str, SpaceName: str, **arguments):
        self.calls.append(("create_app", {"SpaceName": SpaceName, **arguments}))
        if self.apps.get((DomainId, SpaceName), {"Status": "Deleted"})["Status"] not in ("Deleted", "Failed"):
            raise refused("CreateApp", "ResourceInUse", "App already exists")
        self.apps[DomainId, SpaceName] = {"Status": "Pending"}
        if self.raced:
            self.raced = False
            raise refused("CreateApp", "ResourceInUse", "App already exists")

    def delete_app(self, DomainId: str, SpaceName: str, AppType: str, AppName: str):
        self.calls.append(("delete_app", {"DomainId": DomainId, "SpaceName": SpaceName}))
        if (status := self.apps[DomainId, SpaceName]["Status"]) != "InService":
            raise refused("DeleteApp", "ValidationException", f"App is {status}")
        self.apps[DomainId, SpaceName]["Status"] = "Deleting"

    def describe_space(self, DomainId: str, SpaceName: str):
        spec = {"InstanceType": "ml.t3.large", "LifecycleConfigArn": "arn:config"}
        volume = {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}}
        jupyter_lab = {"DefaultResourceSpec": spec}
        return {"SpaceSettings": {"JupyterLabAppSettings": jupyter_lab, "SpaceStorageSettings": volume}}

    def describe_notebook_instance(self, NotebookInstanceName: str):
        if self.notebook is None:
            raise missing("DescribeNotebookInstance", "ValidationException")
        shown = dict(self.notebook)
        moves = {
            "Pending": "Failed" if self.fails else "InService",
            "Updating": "Stopped",
            "Stopping": "Stopped",
        }
        self._move(self.notebook, moves, "NotebookInstanceStatus")
        return (
            {**shown, "FailureReason": self.fails} if shown["NotebookInstanceStatus"] == "Failed" else shown
        )

    def start_notebook_instance(self, NotebookInstanceName: str):
        self.calls.append(("start_notebook_instance", {}))
        if self.notebook["NotebookInstanceStatus"] != "Stopped":
            raise refused("StartNotebookInstance", "ValidationException", "Status not in ([Stopped, Failed])")
        self.notebook["NotebookInstanceStatus"] = "Pending"
        if self.raced:
            self.raced = False
            raise refused("StartNotebookInstance", "ValidationException", "Status (Pending)")

    def create_presigned_notebook_instance_url(self, NotebookInstanceName: str):
        return {"AuthorizedUrl": f"https://{NotebookInstanceName}.notebook/?authToken=x"}

    def create_presigned_domain_url(self, **arguments):
        self.calls.append(("create_presigned_domain_url", arguments))
        return {"AuthorizedUrl": f"https://{arguments['DomainId']}.studio/auth?token=x"}

    @staticmethod
    def _move(record: dict[str, Any], moves: dict[str, str], key: str = "Status") -> None:
        record[key] = moves.get(record[key], record[key])
