"""`plan --save DIR` and `apply --plan DIR`: save plans, and apply exactly what was saved."""

from __future__ import annotations

from pathlib import Path

from ops.console import Stage, say
from ops.environment import Environment
from ops.terraform import saved_plans
from ops.terraform.stack import Plan, Stack
from pipeline import deploy, foundation


def save(env: Environment, folder: Path, made: dict[str, tuple[Stack, Plan]], endpoint: str | None) -> None:
    """Save plans in a folder. made: each stack with its plan."""
    saved = saved_plans.save(folder, env.settings, made, endpoint)
    for stack, reason in saved.not_planned.items():
        say(f"  {stack} is not saved: {reason}.")
    say(f"Saved. ./inv apply{env.settings.flag} --plan {folder} applies exactly these changes.")


def apply(env: Environment, folder: Path, stages: list[Stage]) -> dict[str, list[str]]:
    """Apply the plans in a folder, with a deployment's checks. Returns the addresses of the changes, by stack.

    stages: gets those that have ended.
    """
    saved = saved_plans.load(folder, env.settings)
    manifest = saved.manifest
    changed: dict[str, list[str]] = {}
    if "access" in manifest.stacks:
        changed["access"] = foundation.apply_access(env, stages, saved)
    if "foundation" in manifest.stacks:
        changed["foundation"] = foundation.apply(env, stages, saved)
    if "serving" in manifest.stacks:
        changed["serving"] = deploy.run(env, manifest.model, manifest.endpoint, stages=stages, saved=saved)[
            "changes"
        ]
    for stack, reason in manifest.not_planned.items():
        say(f"  {stack} is not applied: {reason}.")
    return changed
