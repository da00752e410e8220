"""The workbench's tasks with their progress: create, open, remove."""

from __future__ import annotations

from typing import Any

from ops.console import Step, say
from ops.environment import Environment
from ops.settings.workbench import WorkbenchSettings
from pipeline.workbench import workbench


def up(env: Environment, wanted: WorkbenchSettings) -> dict[str, Any]:
    """Create or update the workbench. Returns its outputs, state and changes."""
    workbench.check_network(env, wanted)
    with Step("repository") as step:
        uri, uploaded = workbench.choose_repository(env, wanted, step)
        step.note = uri if uploaded else f"{uri}, which the workbench already has"
    with Step("workbench") as step:
        changes = workbench.up(env, wanted, uri, step)
        found = env.outputs.workbench()
        state = workbench.state(env, found)
        what = "SageMaker Studio" if found.kind == "studio" else "notebook instance"
        changed = f"{len(changes)} resources changed" if changes else "unchanged"
        step.note = f"{what} {found.name} on {found.instance_type}, {state}; {changed}"
    flag = env.settings.flag
    copy = "." if uploaded else ", from when it was created: existing files are not overwritten."
    say(f"It stops after {wanted.idle_minutes} minutes without use, and starts again when it is opened.")
    say(f"Its home folder has this repository, with notebooks/pipeline.ipynb{copy}")
    say(f"Next: ./inv workbench.open{flag}; ./inv workbench.down{flag} removes it")
    return {**found.model_dump(), "state": state, "repository": uri, "changes": changes}


def open_url(env: Environment) -> dict[str, Any]:
    """Start the workbench if it is stopped. Returns a URL that opens it."""
    with Step("workbench") as step:
        url = workbench.open_url(env, step)
        step.note = "in service"
    minutes = workbench.URL_SECONDS // 60
    say(f"This URL opens JupyterLab. It is valid for {minutes} minutes; run the command again for another:")
    return {"url": url, "valid_seconds": workbench.URL_SECONDS}


def down(env: Environment) -> list[str]:
    """Remove the workbench. Returns the addresses of the removed resources."""
    with Step("workbench") as step:
        removed = workbench.remove(env, step)
        step.note = f"{len(removed)} resources removed" if removed else "there was none"
    return removed
