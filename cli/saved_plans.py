"""`plan --save DIR` and `apply --plan DIR`: exactly what the one showed, the other does."""

from __future__ import annotations

from pathlib import Path

from ops.console import say
from ops.errors import OperatorError


def save_plans(settings, folder: Path, made: dict, endpoint: str | None) -> None:
    """Keep plans in a folder. made: the stacks with their plans, by name."""
    from ops.terraform import saved_plans

    saved = saved_plans.save(folder, settings, made, endpoint)
    for stack, reason in saved.not_planned.items():
        say(f"  {stack} is not saved: {reason}.")
    say(f"Saved: ./inv apply{settings.flag} --plan {folder} does exactly this.")


def apply_saved(settings, folder: Path, *, chosen: bool) -> dict[str, list[str]]:
    """Apply the plans in a folder, serving with a deployment's checks. Returns the addresses of what changed, by stack.

    chosen: whether the command line also says what to apply, which the folder does.
    """
    from ops.terraform import saved_plans
    from pipeline import stages

    if chosen:
        raise OperatorError(
            f"--plan {folder} says which stacks, model and endpoint: leave --stack, --model and --endpoint to ./inv plan."
        )
    saved = saved_plans.load(folder, settings)
    manifest, changed = saved.manifest, {}
    if "access" in manifest.stacks:
        changed["access"] = stages.access(settings, saved)
    if "foundation" in manifest.stacks:
        changed["foundation"] = stages.foundation(settings, saved=saved)
    if "serving" in manifest.stacks:
        changed["serving"] = stages.deploy(settings, manifest.model, manifest.endpoint, saved=saved)[
            "changes"
        ]
    for stack, reason in manifest.not_planned.items():
        say(f"  {stack} is not applied: {reason}.")
    return changed
