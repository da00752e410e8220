"""The tasks of the EC2 host that trains."""

from __future__ import annotations

from invoke import Collection

from cli.task import AGAIN, ENV, JSON, environment, operator_task
from ops.console import Step, emit, say


@operator_task(
    name="train",
    help={
        **ENV,
        **JSON,
        **AGAIN,
        "instance-type": "EC2 instance type, such as t3.medium or g5.xlarge (default: the environment's)",
        "spot": "of spare capacity, which is cheaper and may be taken back: the next host then goes on",
        "keep": "leave the host on when the training has ended, to look around; only its lifetime ends it then",
    },
)
def ec2_train(c, env=None, instance_type=None, spot=False, keep=False, again=False, json=False):
    """Train on one EC2 host with a Deep Learning AMI, follow its log, and end with the host."""
    from ml.jobs.launchers import hosts
    from ml.jobs.launchers.ec2 import Ec2Launcher
    from ops import outputs as handover
    from ops.settings.ec2 import chosen
    from pipeline import stages

    settings = environment(env)
    host = chosen(settings.ec2, instance_type, spot)
    launcher = Ec2Launcher(settings, handover.foundation(settings), host, keep)
    result = stages.train(settings, again=again, launcher=launcher, name="ec2.train")
    result["comparison"] = stages.compare(settings)
    if (left := hosts.find(settings)) and left.keep:  # by its own choice, which may be an earlier command's
        say(f"{left.instance_id} stays and bills. A shell: aws ssm start-session --target {left.instance_id}")
        say(f"Its end: ./inv ec2.down{settings.flag}")
    say(f"Next: ./inv deploy{settings.flag} --model {result['model_version']}")
    emit(result, json)


@operator_task(name="down", help={**ENV, **JSON})
def ec2_down(c, env=None, json=False):
    """End the training host, whatever it does, and remove what belongs to it; a training goes on with the next host."""
    from ops.terraform import stacks

    settings = environment(env)
    with Step("ec2.down") as step:
        changes = stacks.training_host(settings, step).down()
        step.note = f"{len(changes)} resources removed" if changes else "there was no host"
    emit({"removed": [change.address for change in changes]}, json)


namespace = Collection("ec2", ec2_train, ec2_down)
