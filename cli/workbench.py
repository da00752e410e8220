"""The tasks of a place to work in notebooks: SageMaker Studio or a notebook instance."""

from __future__ import annotations

from invoke import Collection

from cli.task import ENV, JSON, environment, operator_task
from ops.console import Step, emit, say


@operator_task(
    name="up",
    help={
        **ENV,
        **JSON,
        "kind": "studio or notebook (default: the environment's own, studio)",
        "instance-type": "what it runs on (default: the environment's own, ml.t3.medium)",
        "internet": "let it reach the internet; else it is in the environment's private network",
    },
)
def workbench_up(c, env=None, kind=None, instance_type=None, internet=False, json=False):
    """Make a place to work in notebooks, with this repository in its home; run again, it does only what has changed.

    The repository that is there stays as it is.
    """
    from ops import outputs as handover
    from ops import settings as environments
    from pipeline.workbench import workbench

    wanted = workbench.chosen(environments.load(env), kind, instance_type, internet)
    settings = environment(env)
    made = handover.foundation(settings)
    workbench.check_network(settings, wanted, private=made.network is not None)
    with Step("repository") as step:
        there = workbench.repository_there(settings, wanted)
        uri = there or workbench.upload_repository(
            settings, wanted, made.bucket, made.kms_key_arn, made.tuning_role_arn, step
        )
        step.note = f"{uri}, which is there already" if there else uri
    with Step("workbench") as step:
        changes = workbench.up(settings, wanted, uri, step)
        found = workbench.handed_over(settings) or {}
        state = workbench.state(settings, found)
        what = "SageMaker Studio" if wanted.kind == "studio" else "notebook instance"
        step.note = f"{what} {found['name']} on {wanted.instance_type}, {state}; " + (
            f"{len(changes)} resources changed" if changes else "unchanged"
        )
    say(
        f"It is stopped after {wanted.idle_minutes} minutes without use, and starts again when it is opened. "
        "Its home has this repository, with notebooks/pipeline.ipynb"
        + (", as it was when it was made: what is there is not overwritten." if there else ".")
    )
    say(f"Next: ./inv workbench.open{settings.flag}; ./inv workbench.down{settings.flag} removes it")
    emit({**found, "state": state, "repository": uri, "changes": changes}, json)


@operator_task(name="open", help={**ENV, **JSON})
def workbench_open(c, env=None, json=False):
    """Wake the workbench if it sleeps, and print a URL that opens it: open "$(./inv workbench.open)"."""
    from pipeline.workbench import workbench

    settings = environment(env)
    with Step("workbench") as step:
        url = workbench.open_url(settings, step)
        step.note = "awake"
    say(f"This opens JupyterLab, for {workbench.URL_SECONDS // 60} minutes from now; run again for another:")
    if json:
        return emit({"url": url, "valid_seconds": workbench.URL_SECONDS}, json)
    print(url)


@operator_task(name="down", help={**ENV, **JSON})
def workbench_down(c, env=None, json=False):
    """Remove the workbench with what runs in it, what was saved there, and the domain's file system."""
    from pipeline.workbench import workbench

    settings = environment(env)
    with Step("workbench") as step:
        removed = workbench.remove(settings, step)
        step.note = f"{len(removed)} resources removed" if removed else "there is none"
    emit({"removed": removed}, json)


namespace = Collection("workbench", workbench_up, workbench_open, workbench_down)
