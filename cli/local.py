"""The tasks of the embedded AWS by itself."""

from __future__ import annotations

import time

from invoke import Collection

from cli.task import JSON, local_home, operator_task, port_of, short
from ops import console
from ops import settings as environments
from ops.console import Step, emit, say


@operator_task(
    name="up",
    help={
        "port": "port on 127.0.0.1 (default: the last one, or the first free from 5005)",
        "time-scale": "run service clocks this many times faster",
    },
)
def local_up(c, port=0, time_scale=1.0):
    """Start the embedded AWS and print the variables that point any AWS tool at it: eval "$(./inv local.up)"."""
    from embedded_aws import client as daemon

    with Step("embedded AWS") as step:
        address = daemon.start(local_home(), port_of(port), time_scale)
        step.note = f"at {address.endpoint_url}, state in {short(local_home())}"
    for name, value in daemon.variables(local_home(), environments.load("local").region).items():
        print(f"export {name}={value}")


@operator_task(name="down", help={"forget": "remove the state, too"})
def local_down(c, forget=False):
    """Stop the embedded AWS and every process of it; its state is kept for the next start."""
    from embedded_aws import client as daemon

    with Step("embedded AWS") as step:
        was_running = daemon.status(local_home()).running
        daemon.destroy(local_home()) if forget else daemon.stop(local_home())
        step.note = ("stopped" if was_running else "was not running") + (
            "; state removed" if forget else "; state kept"
        )


@operator_task(name="status", help=JSON)
def local_status(c, json=False):
    """Whether the embedded AWS runs, where, and since when."""
    from embedded_aws import client as daemon

    found = daemon.status(local_home())
    since = found.since and time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.since))
    console.table("Embedded AWS", ["what", "value"], {**vars(found), "since": since}.items())
    emit(vars(found), json)


@operator_task(
    name="interrupt",
    help={
        "job": "name of a running spot training job, or id of a Spot Instance",
        "seconds": "how long no instances are to be had",
    },
)
def local_interrupt(c, job, seconds=0):
    """Take a spot training job's instances, or a Spot Instance, away after AWS's notice; it goes on from its checkpoint."""
    from embedded_aws import client as daemon

    daemon.interrupt(local_home(), environments.load("local").region, job, seconds)
    told = (
        "has its notice of two minutes"
        if job.startswith("i-")
        else "is Interrupted; it starts again with new instances"
    )
    say(f"{job} {told}.")


namespace = Collection("local", local_up, local_down, local_status, local_interrupt)
