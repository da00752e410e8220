"""The tasks of the EC2 host that trains."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context

from cli.task import AGAIN, ENV, JSON, connect, finish, operator_task
from ops.console import emit, say


@operator_task(
    name="train",
    help={
        **ENV,
        **JSON,
        **AGAIN,
        "instance-type": "EC2 instance type, such as t3.medium or g5.xlarge (default: the environment's)",
        "spot": "use a Spot Instance, which costs less and may be reclaimed: the next host then resumes",
        "keep": "keep the host running after the training, to look around; then only its lifetime ends it",
    },
)
def ec2_train(
    c: Context,
    env: str | None = None,
    instance_type: str | None = None,
    spot: bool = False,
    keep: bool = False,
    again: bool = False,
    json: bool = False,
) -> None:
    """Train on one EC2 host with a Deep Learning AMI, follow its log, and terminate it."""
    from pipeline import ec2

    environment = connect(env)
    result = ec2.train(environment, instance_type, spot=spot, keep=keep, again=again)
    if result["approved"]:
        say(f"Next: ./inv deploy{environment.settings.flag} --model {result['model_version']}")
    finish(result, json)


@operator_task(name="down", help={**ENV, **JSON})
def ec2_down(c: Context, env: str | None = None, json: bool = False) -> None:
    """Terminate the training host and remove its stack; the next host resumes an unfinished training."""
    from pipeline import ec2

    emit({"removed": ec2.down(connect(env))}, json)


namespace = Collection("ec2", ec2_train, ec2_down)
