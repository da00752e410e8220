"""Training on an EC2 host, and the removal of the host."""

from __future__ import annotations

from typing import Any

from ml.jobs.launchers import hosts
from ml.jobs.launchers.ec2 import Ec2Launcher
from ops.console import Step, say
from ops.environment import Environment
from ops.settings.ec2 import chosen
from ops.terraform import stacks
from pipeline import train as training


def train(
    env: Environment, instance_type: str | None, *, spot: bool, keep: bool, again: bool
) -> dict[str, Any]:
    """Train on a host. Options override the environment's settings; see `./inv ec2.train`."""
    launcher = Ec2Launcher(env, chosen(env.settings.ec2, instance_type, spot), keep)
    result = training.run(env, launcher=launcher, again=again, name="ec2.train")
    result["comparison"] = training.compare(env)
    host = hosts.find(env)
    if host and host.keep:  # an earlier command may have launched it
        say(
            f"{host.instance_id} keeps running and bills. A shell: aws ssm start-session --target {host.instance_id}"
        )
        say(f"To terminate it: ./inv ec2.down{env.settings.flag}")
    return result


def down(env: Environment) -> list[str]:
    """Terminate the host and remove its stack. Returns the addresses of the removed resources."""
    with Step("ec2.down") as step:
        changes = stacks.training_host(env, step).down()
        step.note = f"{len(changes)} resources removed" if changes else "there was no host"
    return [change.address for change in changes]
