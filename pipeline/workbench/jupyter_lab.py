"""The JupyterLab application of the workbench's Studio space."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.console import Progress
from ops.environment import Environment
from ops.errors import OperatorError
from ops.outputs import Workbench
from ops.text import clause
from pipeline.workbench.studio import wait


def start(env: Environment, workbench: Workbench, progress: Progress) -> None:
    """Wait until JupyterLab is in service, and start it if it is not running. Raises OperatorError if it fails."""
    now, started = "", False

    def in_service() -> bool | None:
        nonlocal now, started
        found = _describe(env, workbench)
        now = found["Status"]
        if now == "Failed" and started:
            reason = clause(found.get("FailureReason") or "no reason given")
            raise OperatorError(
                f"JupyterLab of space {workbench.name} failed: {reason}. Its log is in /aws/sagemaker/studio. Fix the cause "
                f"and run ./inv workbench.open{env.settings.flag} again."
            )
        if now in ("Deleted", "Failed"):  # from an earlier start
            _create(env, workbench)
            started = True
        return True if now == "InService" else None

    wait(in_service, lambda: f"start of JupyterLab in space {workbench.name} ({now})", progress)


def _space(workbench: Workbench) -> dict[str, Any]:
    return {"DomainId": workbench.domain_id, "SpaceName": workbench.name}


def _app(workbench: Workbench) -> dict[str, Any]:
    return {**_space(workbench), "AppType": "JupyterLab", "AppName": "default"}


def _describe(env: Environment, workbench: Workbench) -> dict[str, Any]:
    try:
        found: dict[str, Any] = env.client("sagemaker").describe_app(**_app(workbench))
    except ClientError as error:
        if error_code(error) != "ResourceNotFound":
            raise
        return {"Status": "Deleted"}
    return found


def _create(env: Environment, workbench: Workbench) -> None:
    sagemaker = env.client("sagemaker")
    settings = sagemaker.describe_space(**_space(workbench))["SpaceSettings"]["JupyterLabAppSettings"]
    try:
        sagemaker.create_app(**_app(workbench), ResourceSpec=settings["DefaultResourceSpec"])
    except ClientError as error:
        if error_code(error) != "ResourceInUse":  # somebody else has started it
            raise
