"""The tasks of the workbench, a place to work in notebooks: SageMaker Studio or a notebook instance."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context

from cli.task import ENV, JSON, connect, operator_task
from ops import settings
from ops.console import emit


@operator_task(
    name="up",
    help={
        **ENV,
        **JSON,
        "kind": "studio or notebook (default: the environment's, studio)",
        "instance-type": "SageMaker instance type (default: the environment's, ml.t3.medium)",
        "internet": "give it internet access; otherwise it is in the environment's private network",
    },
)
def workbench_up(
    c: Context,
    env: str | None = None,
    kind: str | None = None,
    instance_type: str | None = None,
    internet: bool = False,
    json: bool = False,
) -> None:
    """Create a place to work in notebooks, with this repository in its home folder. A second run changes only what differs.

    An existing copy of the repository is not overwritten.
    """
    from pipeline.workbench import tasks, workbench

    wanted = workbench.chosen(settings.load(env), kind, instance_type, internet)
    emit(tasks.up(connect(env), wanted), json)


@operator_task(name="open", help={**ENV, **JSON})
def workbench_open(c: Context, env: str | None = None, json: bool = False) -> None:
    """Start the workbench if it is stopped, and print a URL that opens it: open "$(./inv workbench.open)"."""
    from pipeline.workbench import tasks

    result = tasks.open_url(connect(env))
    if json:
        return emit(result, json)
    print(result["url"])


@operator_task(name="down", help={**ENV, **JSON})
def workbench_down(c: Context, env: str | None = None, json: bool = False) -> None:
    """Remove the workbench with everything that runs in it or was saved there, and the domain's file system."""
    from pipeline.workbench import tasks

    emit({"removed": tasks.down(connect(env))}, json)


namespace = Collection("workbench", workbench_up, workbench_open, workbench_down)
