"""The model versions of an environment: a table, and their approval or rejection by a person."""

from __future__ import annotations

from typing import Any

from ml.jobs import registry
from ops import console, live_endpoint, served_models
from ops.console import Step, say
from ops.environment import Environment
from ops.errors import Refused
from ops.outputs import endpoint_option
from ops.text import clause
from pipeline.notes import local_time

LINEAGE = (
    "test_accuracy",
    "architecture",
    "instance_count",
    "dataset",
    "training_job",
    "git_commit",
)


def show(env: Environment) -> list[dict[str, Any]]:
    """Print the registered versions with their lineage and the endpoints that serve them. Returns them for --json."""
    found, uses = registry.versions(env), _uses(env)
    rows = [
        [
            version.number,
            version.approval,
            version.because,
            ", ".join(uses.get(version.arn, [])),
            *(version.lineage.get(name, "") for name in LINEAGE),
            local_time(version.created),
        ]
        for version in found
    ]
    console.table(
        f"Models of {env.settings.prefix}",
        ["version", "approval", "because", "in service", *LINEAGE, "created"],
        rows,
    )
    return [{**vars(version), "in_service": uses.get(version.arn, [])} for version in found]


def decide(env: Environment, number: int, *, approve: bool, because: str) -> dict[str, Any]:
    """Approve or reject a version for a reason, which the registry keeps with the caller and the time.

    Raises Refused for an unknown version, for a version of that state, and without a reason.
    """
    flag, task = env.settings.flag, "approve" if approve else "reject"
    if not because.strip():
        raise Refused(
            f'--{task} {number}: the registry keeps the reason, so add it: ./inv models{flag} --{task} {number} --because "…"'
        )
    with Step("models") as step:
        step(f"looking for version {number}")
        version = registry.find(env, number)
        if version.is_approved if approve else version.is_rejected:
            why = f" ({clause(version.because)})" if version.because else ""
            raise Refused(
                f"Model version {number} is {version.approval} already{why}: ./inv models{flag} lists the versions."
            )
        decided = registry.decide(env, version, approve=approve, because=because)
        serving = _endpoints(env, version.arn)
        step.note = f"version {number} is {decided.approval}, before {version.approval}"
    if serving and not approve:
        say(f"Version {number} is in service, and stays so until you deploy another version:")
        for endpoint in serving:
            say(f"  ./inv rollback{flag}{endpoint_option(env.settings, endpoint)}")
    elif approve:
        say(f"Next: ./inv deploy{flag} --model {number}")
    return {**step.ending, **vars(decided), "before": version.approval, "in_service": serving}


def _endpoints(env: Environment, package: str) -> list[str]:
    """Return the endpoints in which a model package is in service."""
    found = ((name, live_endpoint.find(env, name)) for name in env.outputs.endpoints())
    return [name for name, live in found if live is not None and package in live.packages.values()]


def _uses(env: Environment) -> dict[str, list[str]]:
    """Return the endpoints that serve each model package, and those whose last deployment of it failed."""
    uses: dict[str, list[str]] = {}
    for endpoint in env.outputs.endpoints():
        live = live_endpoint.find(env, endpoint)
        for variant, package in live.packages.items() if live else ():
            uses.setdefault(package, []).append(
                endpoint if variant == "AllTraffic" else f"{endpoint} ({variant})"
            )
        failed = served_models.history(env, endpoint, live).failed
        if failed:
            uses.setdefault(failed.package, []).append(
                f"{endpoint}: deployment failed {local_time(failed.at)}"
            )
    return uses
