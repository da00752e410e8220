"""The tasks of a whole environment: demo, up, down, status."""

from __future__ import annotations

import os
import sys
import time

from invoke.context import Context

from cli import confirm, embedded
from cli.task import ENV, JSON, connect, finish, operator_task
from embedded_aws import client
from ops import console, settings
from ops.console import Step, emit, say

SOURCE = {
    "source": "sample, dogs, a folder, an archive (zip, tar, tar.gz), or the URL of an archive",
    "skip-bad": "leave out bad images",
    "split": "shares of train, valid and test, such as 70/15/15, to make the splits that the source lacks",
}


@operator_task(help=JSON)
def demo(c: Context, json: bool = False) -> None:
    """Run the whole pipeline on the embedded AWS, with real handwritten digits. A second run does only what has changed."""
    from pipeline import everything

    began = time.monotonic()
    finish(everything.run(connect("local"), began=began, task="demo"), json)


@operator_task(help={**ENV, **JSON, **SOURCE})
def up(
    c: Context,
    env: str | None = None,
    source: str | None = None,
    skip_bad: bool = False,
    split: str | None = None,
    json: bool = False,
) -> None:
    """Run the whole pipeline of an environment: foundation, data, tuning, training, endpoint, function. Resumable."""
    from pipeline import everything

    began = time.monotonic()
    finish(everything.run(connect(env), source, skip_bad, split=split, began=began), json)


KEEP = {
    "keep": "what stays: data (the bucket with its key), models (the registry with the artifacts), or data,models"
}


SWEEP = {
    "sweep": "also delete what this repository did not create but carries the environment's tags, in every region"
}


@operator_task(help={**ENV, **JSON, **KEEP, **SWEEP, **confirm.YES})
def down(
    c: Context,
    env: str | None = None,
    keep: str | None = None,
    sweep: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove everything of an environment, then look for leftovers; exits non-zero if there are any.

    It locks all stacks and plans their destruction, shows what will be removed, and asks for the environment's name
    outside `local`. Data and models go last. An interrupted run is resumed by the same command. Without a state, it
    finds by names and tags what this repository created. What else carries the environment's tags is listed with its
    cost; --sweep deletes it, after showing it and asking.
    """
    from pipeline import leftovers, removal, teardown

    chosen, kept = settings.load(env), removal.parse_keep(keep)
    if chosen.embedded_aws and not embedded.home().exists():
        say("Nothing exists: the embedded AWS was never started here, or is removed.")
        return emit({"left": [], "kept": []}, json)
    what = f"remove environment {chosen.environment}"
    confirm.check(chosen, yes, what)

    def approve(planned: removal.Removal) -> None:
        planned.show(f"To be removed from {chosen.environment}")
        confirm.ask(chosen, yes, what)

    def approve_sweep(found: list[leftovers.Leftover]) -> None:
        confirm.ask(chosen, yes, f"delete these {len(found)} resources")

    stays = teardown.down(connect(env), kept, approve, approve_sweep if sweep else None)
    if chosen.embedded_aws and not stays:
        with Step("embedded AWS") as step:
            client.destroy(embedded.home())
            step.note = "stopped; its state is removed"
    emit({"left": [], "kept": stays}, json)


@operator_task(help={**ENV, **JSON})
def status(c: Context, env: str | None = None, json: bool = False) -> None:
    """Show what exists in an environment, what is in service, and what needs attention, with the command for it."""
    from pipeline import status, status_table

    chosen = settings.load(env)
    if chosen.embedded_aws and not embedded.is_running():
        kept = " (its state is kept)" if embedded.home().exists() else ""
        say(f"The embedded AWS is not running{kept}: nothing is in service. ./inv up starts it.")
        return emit({"embedded_aws": {"running": False}}, json)
    environment = connect(env)
    with Step("status") as step:
        found = status.collect(environment, step)
        step.note = status_table.summary(found)
    title = f"Environment {chosen.environment}"
    console.table(title, ["what", "name", "state"], status_table.rows(chosen, found))
    emit(found, json)
    if any(item["what"] == "no answer" for item in found["attention"]):
        _leave_late_questions()


def _leave_late_questions() -> None:
    """End this process without waiting for threads whose requests AWS does not answer."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
