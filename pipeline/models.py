"""The model versions of an environment, as a table."""

from __future__ import annotations

from typing import Any

from ml.jobs import registry
from ops import console
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
    """Print the registered versions with their lineage. Returns them for --json."""
    found = registry.versions(env)
    rows = [
        [
            version.number,
            version.approval,
            *(version.lineage.get(name, "") for name in LINEAGE),
            local_time(version.created),
        ]
        for version in found
    ]
    console.table(f"Models of {env.settings.prefix}", ["version", "approval", *LINEAGE, "created"], rows)
    return [vars(version) for version in found]
