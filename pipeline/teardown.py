"""Remove an environment, or one stack of it, in the order that its dependencies require."""

from __future__ import annotations

from collections.abc import Sequence

from ml.jobs import running
from ops import bucket, console
from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from ops.outputs import endpoint_name
from ops.terraform import stacks
from pipeline import cleanup, leftovers
from pipeline.workbench import workbench

ON_DEMAND = {"training_host": "./inv ec2.down", "workbench": "./inv workbench.down"}
"""Stacks that are created on demand, and the task that removes each."""


def down(env: Environment) -> None:
    """Remove everything of an environment, then look for leftovers. Raises OperatorError if there are any."""
    deployed, endpoints = stacks.deployed(env), stacks.deployed_endpoints(env)
    check_foundation(env, [*endpoints, *ON_DEMAND])
    with Step("jobs") as step:
        stopped = running.stop_all(env, step)
        step.note = f"{len(stopped)} stopped"
    if "training_host" in deployed:
        with Step("training host") as step:
            step.note = f"{len(stacks.training_host(env, step).down())} resources removed"
    if "workbench" in deployed:
        with Step("workbench") as step:
            step.note = f"{len(workbench.remove(env, step))} resources removed"
    for endpoint in endpoints:
        with Step("serving") as step:
            step.note = f"{endpoint}: {len(_destroy_serving(env, endpoint, step))} resources removed"
    with Step("models") as step:
        step.note = f"{cleanup.delete_models(env)} versions removed"
    with Step("foundation") as step:
        step.note = f"{len(_destroy_foundation(env, step))} resources removed"
    with Step("leftovers") as step:
        left = leftovers.find(env)
        if not left:
            cleanup.delete_states(env)
        step.note = (
            f"{len(left)} resources left"
            if left
            else "none (the KMS key is pending deletion, free of charge)"
        )
    if left:
        rows = [(found.kind, found.name, "yes" if found.billable else "no") for found in left]
        console.table("Leftovers", ["kind", "name", "bills"], rows)
        raise OperatorError(
            f"{len(left)} resources are left: delete them manually, or run ./inv down{env.settings.flag} again."
        )


def destroy(
    env: Environment, chosen: Sequence[str] = ("serving", "foundation"), endpoint: str | None = None
) -> dict[str, list[str]]:
    """Destroy stacks. Returns the addresses of the removed resources, by stack.

    Raises OperatorError, before anything is removed, if another stack still needs one of them.

    chosen: names of stacks.
    endpoint: which endpoint's stack serving; by default the environment's first endpoint.
    """
    full_name = endpoint_name(env.settings, endpoint)
    if "foundation" in chosen:
        check_foundation(env, removed=[full_name] if "serving" in chosen else [])
    if "access" in chosen:
        check_access(env)
    removed = {}
    for name in chosen:
        with Step(name) as step:
            if name == "serving":
                removed[name] = _destroy_serving(env, full_name, step)
            elif name == "access":
                removed[name] = [change.address for change in stacks.access(env, step).down()]
                cleanup.delete_states(env, access=True)
            else:
                cleanup.delete_models(env)
                removed[name] = _destroy_foundation(env, step)
            step.note = f"{len(removed[name])} resources removed"
    return removed


def check_foundation(env: Environment, removed: Sequence[str]) -> None:
    """Raise OperatorError unless the foundation can be destroyed after the stacks `removed`.

    removed: names of endpoints, `training_host`, `workbench`.
    """
    settings = env.settings
    others = [name.removeprefix("serving/") for name in stacks.deployed(env) if name != "foundation"]
    if needed := [name for name in others if name not in removed]:
        flag = settings.flag
        endpoints = (
            [f"./inv destroy{flag} --stack serving --endpoint NAME"] if set(needed) - set(ON_DEMAND) else []
        )
        first = endpoints + [f"{ON_DEMAND[name]}{flag}" for name in needed if name in ON_DEMAND]
        raise OperatorError(
            f"The foundation of {settings.environment} is still used by {', '.join(needed)}: run ./inv down{flag} to "
            f"remove everything, or first {' and '.join(first)}."
        )
    if not settings.storage.force_destroy and bucket.holds_anything(env, env.data_bucket):
        raise OperatorError(
            f"The bucket {env.data_bucket} holds data and models, and environments/{settings.environment}.toml protects "
            "them: set force_destroy = true under [storage] and run the same command again to delete them."
        )


def check_access(env: Environment) -> None:
    """Raise OperatorError if other stacks exist: their roles have the permissions boundary of stack access."""
    if deployed := stacks.deployed(env):
        raise OperatorError(
            f"The roles of {', '.join(deployed)} use the boundary of stack access: run ./inv down{env.settings.flag} first."
        )


def _destroy_serving(env: Environment, endpoint: str, step: Step) -> list[str]:
    changes = stacks.serving(env, endpoint, _any_package(env), step).down()
    cleanup.wait_until_endpoint_is_deleted(env, endpoint)
    return [change.address for change in changes]


def _destroy_foundation(env: Environment, step: Step) -> list[str]:
    # Terraform would decide by the force_destroy of its last apply, not by the current settings, and slowly.
    bucket.empty(env, env.data_bucket, progress=step)
    changes = stacks.foundation(env, step).down()
    env.outputs.forget()
    return [change.address for change in changes]


def _any_package(env: Environment) -> str:
    """Return a well-formed ARN: Terraform needs every input to destroy, but does not use this one."""
    settings = env.settings
    return (
        f"arn:{env.partition}:sagemaker:{settings.region}:{env.account_id}:model-package/{settings.prefix}/1"
    )
