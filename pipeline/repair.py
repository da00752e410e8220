"""Brings an endpoint into a state in which it can be updated, whatever the last change has left."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ops import endpoint_history
from ops.console import Step
from ops.environment import Environment
from ops.live_endpoint import LiveEndpoint
from ops.outputs import endpoint_option
from ops.text import clause
from ops.waiting import wait_for
from pipeline import alarms
from pipeline.live_checks import wait_until_deleted, wait_until_stable

RECOVERY_SECONDS = 600  # an alarm of three periods of a minute recovers within minutes


def make_updatable(env: Environment, endpoint: str, step: Step) -> LiveEndpoint | None:
    """Return the endpoint in service, or None once it is deleted or if there is none: a deployment then creates it.

    SageMaker allows only to delete a failed endpoint. One whose rollback has failed serves from old and new instances:
    an update to its own configuration, all at once, ends that without a failed request; only if that fails too is it
    deleted.
    """
    live = wait_until_stable(env, endpoint, step)
    if live is not None and live.status == "UpdateRollbackFailed":
        live = _restore(env, live, step)
    if live is None or live.status == "InService":
        return live
    reason = f" ({clause(live.reason)})" if live.reason else ""
    step(
        f"deleting {endpoint}, which is {live.status}{reason}: it answers no requests until it is created again",
        important=True,
    )
    env.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    wait_until_deleted(env, endpoint, step)
    return None


def wait_for_recovery(env: Environment, endpoint: str, config: str, step: Step) -> None:
    """Wait until the alarms of a configuration that was rolled back have recovered.

    Without requests to its fleet they recover by themselves. Before that, SageMaker would roll a second attempt back
    at once.
    """
    names = [f"{config}-5xx", f"{config}-latency"]

    def recovered() -> bool | None:
        return None if endpoint_history.alarms_in_alarm(env, names) else True

    option = env.settings.flag + endpoint_option(env.settings, endpoint)
    wait_for(
        recovered,
        seconds=RECOVERY_SECONDS,
        on_timeout=lambda: (
            f"{' or '.join(names)} is still in ALARM after {RECOVERY_SECONDS // 60} minutes{_reasons(env, names)}, so "
            f"SageMaker would roll the update back: look at the alarm in CloudWatch, or deploy another version with ./inv deploy{option} --model N."
        ),
        on_wait=lambda: step("waiting until the alarms of the last attempt have recovered"),
    )


def _reasons(env: Environment, names: list[str]) -> str:
    """Return CloudWatch's reasons of the alarms that are in ALARM, in parentheses; empty if there is none."""
    found = "; ".join(alarm.text for alarm in alarms.of_names(env, names))
    return f" ({found})" if found else ""


def _restore(env: Environment, live: LiveEndpoint, step: Step) -> LiveEndpoint | None:
    """Update an endpoint to the configuration that it has, all at once. Return it as it then is."""
    step(f"restoring {live.name}, whose last update could not be rolled back", important=True)
    try:
        env.client("sagemaker").update_endpoint(
            EndpointName=live.name, EndpointConfigName=live.config, RetainAllVariantProperties=True
        )
    except ClientError as error:
        step(f"SageMaker refused to update it: {error}", important=True)
        return live
    return wait_until_stable(env, live.name, step)
