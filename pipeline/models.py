"""The model versions of an environment, as a table."""

from __future__ import annotations

from typing import Any

from ml.jobs import registry
from ops import console, live_endpoint, served_models
from ops.environment import Environment
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
            ", ".join(uses.get(version.arn, [])),
            *(version.lineage.get(name, "") for name in LINEAGE),
            local_time(version.created),
        ]
        for version in found
    ]
    console.table(
        f"Models of {env.settings.prefix}", ["version", "approval", "in service", *LINEAGE, "created"], rows
    )
    return [{**vars(version), "in_service": uses.get(version.arn, [])} for version in found]


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
