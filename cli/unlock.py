"""The task that releases state locks."""

from __future__ import annotations

from invoke.context import Context

from cli import confirm
from cli.task import ENV, JSON, Reported, connect, operator_task, refuse_unused
from ops.console import emit, say


@operator_task(
    help={
        **ENV,
        **JSON,
        "stack": "access, foundation, serving, training_host or workbench (default: all but access)",
        "endpoint": "suffix of the endpoint's name",
        "force": "also release the locks of commands that you know have ended, on other machines",
        **confirm.YES,
    }
)
def unlock(
    c: Context,
    env: str | None = None,
    stack: str | None = None,
    endpoint: str | None = None,
    force: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Show who holds the state locks of an environment, and release those of dead commands; with --force, all."""
    from ops.outputs import endpoint_name
    from ops.terraform import stacks
    from pipeline import unlock as stage

    if stack:
        stacks.check_name(stack, stacks.ALL)
    if stack not in (None, "serving"):
        refuse_unused(endpoint=endpoint, reason="only stack serving uses it")
    if not force:
        refuse_unused(yes=yes, reason="without --force nothing is asked")
    environment = connect(env)
    settings = environment.settings
    found = stage.find(environment, stack, endpoint_name(settings, endpoint) if endpoint else None)
    if not found:
        say("No state is locked.")
        return emit({"released": [], "kept": []}, json)
    stage.show(found)
    held = [item for item in found if item.reason]
    if held and force:
        stage.check_force(held)
        confirm.ask(settings, yes, f"release {len(held)} locks whose commands may still run")
    released = stage.release(environment, found if force else [i for i in found if not i.reason])
    if released:
        say(f"Released: {', '.join(item.stack for item in released)}.")
    left = [] if force else held
    emit(
        {"released": [i.as_json() for i in released], "kept": [i.as_json() for i in left]},
        json,
    )
    if left:
        raise Reported(stage.kept(environment, left))
