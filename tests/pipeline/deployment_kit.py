"""An endpoint that a deployment changes, as SageMaker and stack serving would: for tests of the decisions around them."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from types import SimpleNamespace

from botocore.exceptions import ClientError

from ml.jobs.compatibility import classes_digest
from ml.jobs.registry import Version
from ops.errors import OperatorError
from ops.served_models import ServedModels

ENDPOINT = "image-classifier-dev"
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"


def package(version: int) -> str:
    return f"{GROUP}/{version}"


def config(version: int) -> str:
    return f"{ENDPOINT}-{version:08x}"


class World:
    """SageMaker with at most one endpoint, the stack's parameters, and what a deployment of each version does.

    serving: the version in service; None: there is no endpoint.
    status: the endpoint's status. Any but InService and UpdateRollbackFailed can only be deleted.
    passing: statuses that DescribeEndpoint reports first, such as Updating; the endpoint is then as `after` says.
    fails_to_start: versions whose update SageMaker rolls back.
    answers_500: versions that start and fail every request.
    in_alarm: alarms in ALARM, each for so many questions.
    restorable: whether an update ends the status UpdateRollbackFailed.
    shows_rollback: whether Terraform sees that SageMaker rolls an update back, and fails.
    scalings: how often autoscaling changes the endpoint between a plan and its update.
    locked: whether a command holds the lock of the state.
    deployed: the facts that the last deployment gave to Terraform.
    """

    def __init__(self, account, serving):
        self.account, self.outputs = account, serving
        self.serving: int | None = None
        self.status, self.reason = "InService", ""
        self.passing: list[str] = []
        self.after = lambda: None
        self.fails_to_start: set[int] = set()
        self.answers_500: set[int] = set()
        self.in_alarm: dict[str, int] = {}
        self.restorable = True
        self.calls: list[str] = []
        self.scalings = 0
        self.shows_rollback = False
        self.locked = False
        self.deployed: dict = {}

    # ---- stack serving ----

    def stack(self, env, endpoint, package_arn, step):
        assert not self.locked
        variables = {"endpoint_name": endpoint, "model_package_arn": package_arn}
        stack = SimpleNamespace(variables=variables, locked=self._lock)
        stack.up = lambda: self._apply(stack.variables)
        return stack

    @contextlib.contextmanager
    def _lock(self):
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    def _apply(self, variables: dict) -> tuple:
        version = int(variables["model_package_arn"].rpartition("/")[2])
        self.deployed = variables["deployed"]
        if self.scalings:
            self.scalings -= 1
            self.passing = ["Updating"]
            raise OperatorError(f'ValidationException: Cannot update in-progress endpoint "{ENDPOINT}".')
        if self.serving is None:
            self.calls.append(f"create {version}")
            self.serving, self.status = version, "InService"
        elif self.status != "InService":
            raise OperatorError(f"Cannot update endpoint in status {self.status}.")
        elif self.serving != version:
            self.calls.append(f"update to {version}")
            alarms = [name for name in self.in_alarm if name.startswith(config(version))]
            if version in self.fails_to_start or alarms:
                self.reason = f"alarm {alarms[0]}" if alarms else "no ping"
                if self.shows_rollback:
                    self.passing = ["RollingBack"]
                    raise OperatorError(
                        "waiting for update: unexpected state 'RollingBack', wanted 'InService'."
                    )
            else:
                self.serving, self.reason = version, ""
        self.publish_outputs(version)
        if ENDPOINT not in self._parameters():
            self.account.publish(f"served_models/{ENDPOINT}", {"served": []})
        return ()

    def publish_outputs(self, version: int) -> None:
        wanted = {"endpoint_config_name": config(version), "model_package_arn": package(version)}
        outputs = self.outputs.model_copy(update={**wanted, "variants": {"AllTraffic": package(version)}})
        self.account.publish(f"serving/{ENDPOINT}", outputs.model_dump())

    def publish_history(self, *versions: int) -> None:
        models = ServedModels()
        for version in reversed(versions):
            models = models.with_success(package(version))
        self.account.publish(f"served_models/{ENDPOINT}", models.model_dump(mode="json"))

    def _parameters(self) -> list[str]:
        pages = self.account.env.client("ssm").get_paginator("describe_parameters").paginate()
        names = [item["Name"] for page in pages for item in page["Parameters"]]
        return [name.rpartition("/")[2] for name in names if "/served_models/" in name]

    # ---- the function in front of the endpoint ----

    def invoke(self, env, target, request) -> dict:
        if self.serving in self.answers_500:
            raise OperatorError("The function answered 502.")
        return {"predictions": [{"label": "cat", "probability": 1.0}]}

    # ---- SageMaker and CloudWatch ----

    def describe_endpoint(self, EndpointName):
        if self.passing:
            status = self.passing.pop(0)
            if not self.passing:
                self.after()
            return self._described(status)
        if self.serving is None:
            error = {"Code": "ValidationException", "Message": "Could not find endpoint."}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        return self._described(self.status)

    def _described(self, status: str) -> dict:
        described = {"EndpointStatus": status, "EndpointConfigName": config(self.serving or 0)}
        return described | ({"FailureReason": self.reason} if self.reason else {})

    def describe_endpoint_config(self, EndpointConfigName):
        version = int(EndpointConfigName.rpartition("-")[2], 16)
        variant = {"VariantName": "AllTraffic", "ModelName": f"model-{version}", "InitialVariantWeight": 1.0}
        return {"ProductionVariants": [variant]}

    def describe_model(self, ModelName):
        version = int(ModelName.rpartition("-")[2])
        container = {"ModelPackageName": package(version)}
        return {"PrimaryContainer": container, "ExecutionRoleArn": "arn:role"}

    def delete_endpoint(self, EndpointName):
        assert self.locked
        self.calls.append("delete")
        self.passing, self.after = ["Deleting"], self._disappear

    def _disappear(self) -> None:
        self.serving = None

    def update_endpoint(self, EndpointName, EndpointConfigName, RetainAllVariantProperties):
        assert (self.status, EndpointConfigName) == ("UpdateRollbackFailed", config(self.serving))
        self.calls.append("restore")
        if self.restorable:
            self.status = "InService"

    def describe_alarms(self, AlarmNames, AlarmTypes):
        found = [name for name in AlarmNames if name in self.in_alarm]
        for name in found:
            self.in_alarm[name] -= 1
            if not self.in_alarm[name]:
                del self.in_alarm[name]
        reason = "Threshold Crossed: 5 > 1."
        return {
            "MetricAlarms": [
                {"AlarmName": name, "StateValue": "ALARM", "StateReason": reason} for name in found
            ]
        }


LINEAGE = {"dataset": "sample", "classes": "2", "classes_digest": classes_digest("01")}


def versions(*numbers: int) -> list[Version]:
    """Return registered versions, newest first, that were trained on an older state of the data in tests/conftest.py."""
    created = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return [Version(n, package(n), "Approved", created, LINEAGE) for n in sorted(numbers, reverse=True)]
