"""Rolls an endpoint back to the model version that served well before."""

from __future__ import annotations

from typing import Any

from ml.jobs import registry
from ops import served_models
from ops.environment import Environment
from ops.errors import Refused
from ops.live_endpoint import LiveEndpoint
from ops.outputs import endpoint_name, endpoint_option
from pipeline import deploy


def run(env: Environment, endpoint: str | None = None, *, allow_other_data: bool = False) -> dict[str, Any]:
    """Deploy the version that served well before, with today's settings and the checks of a deployment.

    allow_other_data: also if it was trained on another data set or other classes.

    If SageMaker has already rolled the last deployment back, that is the version in service: the deployment then only
    removes what the failed one left. A second rollback goes further back.
    """
    full_name = endpoint_name(env.settings, endpoint)
    wanted = deploy.Wanted("rollback", rollback=True, allow_other_data=allow_other_data)
    return deploy.put_into_service(env, endpoint, lambda live: target(env, full_name, live), wanted)


def target(env: Environment, endpoint: str, live: LiveEndpoint | None) -> registry.Version:
    """Return the version that a rollback deploys. A version that was rejected since is passed over.

    Raises Refused if none has served well before.
    """
    last, models = env.outputs.find_serving(endpoint), served_models.history(env, endpoint, live)
    attempted = models.failed.package if models.failed else last.model_package_arn if last else None
    approved = {v.arn: v for v in registry.registered(env) if v.is_approved}
    for package in models.rollback_candidates(live, attempted):
        if package in approved:
            return approved[package]
    flag = env.settings.flag
    raise Refused(
        f"{endpoint} has no earlier model to roll back to: no other version has served well, or it is no longer "
        f"registered or approved. ./inv models{flag} lists the versions, and ./inv deploy{flag}"
        f"{endpoint_option(env.settings, endpoint)} --model N deploys one."
    )
