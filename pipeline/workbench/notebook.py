"""The SageMaker notebook instance of the workbench."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ops.aws import is_missing
from ops.console import Progress
from ops.environment import Environment
from ops.errors import OperatorError
from ops.text import clause
from pipeline.workbench.studio import name, wait

STABLE = ("missing", "InService", "Stopped", "Failed")


def find(env: Environment) -> dict[str, Any] | None:
    """Return the description of the environment's notebook instance, or None if there is none."""
    try:
        found: dict[str, Any] = env.client("sagemaker").describe_notebook_instance(
            NotebookInstanceName=name(env.settings)
        )
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def status(env: Environment) -> str:
    """Return the status of the notebook instance; "missing" if there is none."""
    found = find(env)
    return str(found["NotebookInstanceStatus"]) if found else "missing"


def wait_until_stable(env: Environment, progress: Progress) -> None:
    """Wait until the notebook instance is neither starting nor stopping, as it cannot be changed before."""
    now = ""

    def stable() -> bool | None:
        nonlocal now
        now = status(env)
        return True if now in STABLE else None

    wait(stable, lambda: f"notebook instance {name(env.settings)} ({now})", progress)


def start(env: Environment, progress: Progress, *, accept_stopped: bool = False) -> None:
    """Wait until the notebook instance is in service, and start it if it is stopped.

    accept_stopped: do not start a stopped one. Raises OperatorError if it fails or there is none.
    """
    now = ""

    def in_service() -> bool | None:
        nonlocal now
        now = status(env)
        if now in ("missing", "Failed", "Deleting"):
            raise OperatorError(_failure(env, now))
        if now == "Stopped" and not accept_stopped:
            _request_start(env)
        return True if now == "InService" or (now == "Stopped" and accept_stopped) else None

    wait(in_service, lambda: f"start of notebook instance {name(env.settings)} ({now})", progress)


def _request_start(env: Environment) -> None:
    try:
        env.client("sagemaker").start_notebook_instance(NotebookInstanceName=name(env.settings))
    except ClientError:
        if status(env) in ("missing", "Stopped"):  # otherwise somebody else has started it
            raise


def _failure(env: Environment, now: str) -> str:
    reason = (find(env) or {}).get("FailureReason")
    why = f": {clause(reason)}" if reason else ""
    flag = env.settings.flag
    return (
        f"The notebook instance {name(env.settings)} is {now}{why}. Its start is logged in "
        f"/aws/sagemaker/NotebookInstances. Run ./inv workbench.down{flag}, then ./inv workbench.up{flag}."
    )
