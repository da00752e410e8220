"""The tasks of the embedded AWS itself: up, down, status, interrupt."""

from __future__ import annotations

import os
import shlex
import time

from invoke.collection import Collection
from invoke.context import Context

from cli import embedded
from cli.task import JSON, operator_task
from embedded_aws import client
from ops import console, settings
from ops.console import Step, emit, say


@operator_task(
    name="up",
    help={
        "port": "port on 127.0.0.1 (default: the last one, or the first free from 5005)",
        "time-scale": "run service clocks this many times faster",
    },
)
def local_up(c: Context, port: int = 0, time_scale: float = 1.0) -> None:
    """Start the embedded AWS and print the variables that point any AWS tool at it: eval "$(./inv local.up)"."""
    with Step("embedded AWS") as step:
        address = client.start(embedded.home(), embedded.port(port), time_scale)
        step.note = f"at {address.endpoint_url}, state in {embedded.short(embedded.home())}"
    variables = client.variables(embedded.home(), settings.load("local").region)
    for name in client.conflicting(os.environ):
        if name not in variables:
            print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


@operator_task(name="down", help={"forget": "remove the state, too"})
def local_down(c: Context, forget: bool = False) -> None:
    """Stop the embedded AWS and all its processes; its state is kept for the next start."""
    with Step("embedded AWS") as step:
        was_running = embedded.is_running()
        if forget:
            client.destroy(embedded.home())
        else:
            client.stop(embedded.home())
        stopped = "stopped" if was_running else "was not running"
        step.note = f"{stopped}; state {'removed' if forget else 'kept'}"


@operator_task(name="status", help=JSON)
def local_status(c: Context, json: bool = False) -> None:
    """Show whether the embedded AWS is running, where, and since when."""
    found = client.status(embedded.home())
    since = found.since and time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.since))
    console.table("Embedded AWS", ["what", "value"], {**vars(found), "since": since}.items())
    emit(vars(found), json)


@operator_task(
    name="interrupt",
    help={
        "job": "name of a running spot training job, or id of a Spot Instance",
        "seconds": "how long there is no capacity",
    },
)
def local_interrupt(c: Context, job: str, seconds: int = 0) -> None:
    """Interrupt a spot training job or a Spot Instance, with AWS's notice; it resumes from its checkpoint."""
    client.interrupt(embedded.home(), settings.load("local").region, job, seconds)
    effect = (
        "has its interruption notice of two minutes"
        if job.startswith("i-")
        else "is Interrupted; it starts again on new instances"
    )
    say(f"{job} {effect}.")


namespace = Collection("local", local_up, local_down, local_status, local_interrupt)
