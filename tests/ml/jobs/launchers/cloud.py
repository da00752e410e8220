"""EC2 and Terraform of a test of the EC2 launcher."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import SimpleNamespace

from ml.jobs.launchers import ec2, hosts
from ml.jobs.launchers.hosts import Host
from ml.runner.job import Status
from ops.errors import OperatorError
from ops.terraform.stack import Change

NAME = "image-classifier-dev-train-ec2-abcdefg"
COMPLETED = {
    "status": "Completed",
    "stage": "Completed",
    "metrics": {"test:accuracy": 0.9},
    "machine_type": "t3.medium",
    "training_seconds": 60.0,
    "billable_seconds": 90.0,
}
GONE = ("terminated", "Client.InstanceInitiatedShutdown")


class Cloud:
    """EC2 and Terraform of a test.

    story: for each launch, the host's states as (state, reason code, status that its machine writes), one for each
    description; or the error of Terraform.
    launched: the variables of each launch.
    destroyed: how often the stack was destroyed.
    checked: the arguments of each check of quotas.
    """

    def __init__(self, dev):
        self.dev = dev
        self.story: list[list[tuple] | OperatorError] = []
        self.launched: list[dict] = []
        self.destroyed = 0
        self.checked: list[tuple] = []
        self.replaces = False
        self.while_planning = lambda: None
        self._states: dict[str, list[tuple]] = {}
        self._hosts: dict[str, Host] = {}

    def add(self, job: str, identity: str, states: list[tuple] | None = None, **fields) -> None:
        """Add a running host."""
        self._hosts[identity] = Host(identity, job, "t3.medium", "running", reason="", **fields)
        self._states[identity] = states or []

    def stack(self, env, progress, host=None):
        def plan():
            self.while_planning()
            actions = ("delete", "create") if self.replaces else ("create",)
            return SimpleNamespace(changes=(Change(ec2.INSTANCE, actions),))

        def apply(plan):
            self.launched.append(host)
            states = self.story.pop(0)
            if isinstance(states, OperatorError):
                raise states
            self.add(host["job"], f"i-{len(self.launched)}", states, spot=host["spot"], keep=host["keep"])

        def down():
            self.destroyed += 1

        return SimpleNamespace(plan=plan, apply=apply, down=down, locked=contextlib.nullcontext)

    def find(self, env) -> Host | None:
        found = [self.get(env, identity, peek=True) for identity in self._hosts]
        return next((host for host in found if host.state in (*hosts.ALIVE, *hosts.ENDING)), None)

    def get(self, env, identity: str, peek: bool = False) -> Host:
        states = self._states[identity]
        ending = states and states[0][0] in hosts.ENDING
        if states and (not peek or ending or self._hosts[identity].state in hosts.ENDING):
            state, code, status = states.pop(0)
            self._hosts[identity] = replace(
                self._hosts[identity], state=state, reason_code=code, reason=code and f"{code} by EC2"
            )
            if status is not None:
                body = Status(**{"machine": identity, **status}).to_json().encode()
                key = f"training/{NAME}/status.json"
                self.dev.client("s3").put_object(Bucket=self.dev.data_bucket, Key=key, Body=body)
        return self._hosts[identity]


def run(launcher, training, shown=None):
    """Run the job; `shown` gets its statuses and log lines."""
    shown = [] if shown is None else shown
    return launcher.run(
        training, NAME, lambda text, important=False: shown.append(text), lambda line: shown.append(line)
    )
