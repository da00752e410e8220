"""A host of EC2 that trains one job and is gone: brought up by stack workbench, followed by its log."""

from __future__ import annotations

import shlex
from collections import deque
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ml.host.job import Status
from ml.jobs import follow, handover, program
from ml.jobs.handover import Foundation, TrainingHost
from ml.jobs.launchers import jobs_in_s3
from ml.jobs.launchers.base import Outcome, Tell, TellStatus, Training
from ops import quotas, stacks
from ops.aws import client
from ops.errors import OperatorError
from ops.settings import Settings
from ops.settings.ec2 import HostSettings

USER_DATA = jobs_in_s3.HOST / "user_data.sh"
MOST_HOSTS = 20  # for one job: Spot capacity that is taken back so often is not to be had
ALIVE, GOING = ("pending", "running"), ("shutting-down", "stopping")
RECLAIMED = "Server.SpotInstanceTermination"


@dataclass(frozen=True)
class Seen:
    """A host at a look. reason: why it is not running any more, as EC2 says it."""

    state: str
    reason_code: str = ""
    reason: str = ""


class Ec2Launcher:
    """Runs jobs on one host at a time. host: instead of the environment's settings. keep: the host stays when its job ends."""

    name = "ec2"

    def __init__(
        self, settings: Settings, foundation: Foundation, host: HostSettings | None = None, keep: bool = False
    ) -> None:
        self._settings, self._foundation = settings, foundation
        self._host, self._keep = host or settings.ec2, keep

    def stem(self, training: Training) -> str:
        return f"{self._settings.prefix}-train-ec2"

    def check(self, training: Training) -> None:
        if training.instances != 1:
            raise OperatorError(
                f"--on ec2 trains on one host: leave --instances {training.instances} out, or train on SageMaker."
            )

    def parts(self, training: Training) -> dict[str, Any]:
        training_settings = self._settings.training.model_dump(include={"epochs", "weight_decay", "seed"})
        return {"training": training_settings, "host": self._host.instance_type}

    def describe(self, name: str) -> dict[str, Any] | None:
        return jobs_in_s3.describe(self._settings, self._foundation, name)

    def run(self, training: Training, name: str, on_status: TellStatus, on_line: Tell) -> Outcome:
        for _ in range(MOST_HOSTS):
            host = self._alive(name, on_status) or self._launch(training, name, on_status)
            jobs_in_s3.mark_launched(self._settings, self._foundation, name, host.instance_id)
            seen, status, last = self._follow(name, host, on_status, on_line)
            if status is not None and status.status == "Completed":
                self._leave(host, on_status)
                return jobs_in_s3.outcome(self._foundation, name, status)
            if not (host.spot and (seen.reason_code == RECLAIMED or (status and status.reclaimed))):
                break
            on_status(
                f"EC2 took {host.instance_id} back: the next host goes on from the checkpoint", important=True
            )
        self._leave(host, on_status)
        raise OperatorError(self._failure(name, host, seen, status, last))

    def outcome(self, name: str) -> Outcome:
        status = jobs_in_s3.read(self._settings, self._foundation, name)
        assert status is not None  # `describe` has found it
        return jobs_in_s3.outcome(self._foundation, name, status)

    def _alive(self, name: str, on_status: TellStatus) -> TrainingHost | None:
        """The host that a command before this one has brought up for the job; one that is going is waited for, as
        Terraform takes it for there. Raises OperatorError for another job's."""
        host = handover.training_host(self._settings)
        if host is None:
            return None
        for _ in follow.pauses():
            state = look(self._settings, host.instance_id).state
            if state not in GOING:
                break
            on_status(f"waiting for the end of {host.instance_id}, which is {state}")
        if state not in ALIVE:
            return None
        if host.job != name:
            raise OperatorError(
                f"The host {host.instance_id} trains {host.job}: wait for its end, or end it with "
                f"./inv ec2.down{self._settings.flag}."
            )
        return host

    def _launch(self, training: Training, name: str, on_status: TellStatus) -> TrainingHost:
        on_status(f"asking for a quota of {self._host.instance_type}")
        note = quotas.check_vcpus(self._settings.region, self._host.instance_type, spot=self._host.spot)
        if note:
            on_status(note, important=True)
        log_group = self._foundation.ec2_log_group
        job = jobs_in_s3.write(training, name, self.name, log_group)
        script = user_data(
            REGION=self._settings.region,
            JOB=job,
            JOB_NAME=name,
            HOST_PROGRAM=jobs_in_s3.upload_host_program(self._settings, self._foundation),
            LAUNCHED=jobs_in_s3.launched_prefix(self._foundation, name),
            LOG_GROUP=log_group,
            TORCH=program.torch_requirement(),
            KEEP="yes" if self._keep else "no",
        )
        wanted = self._host.variables() | {"job": name, "user_data": script}
        stacks.training_host(self._settings, on_status, wanted).up()
        host = handover.training_host(self._settings)
        assert host is not None  # the stack has just published it
        return host

    def _follow(
        self, name: str, host: TrainingHost, on_status: TellStatus, on_line: Tell
    ) -> tuple[Seen, Status | None, deque[str]]:
        """Until the host is gone; with keep, until the job has ended. Returns the last look, and the last lines."""
        tail = follow.LogTail(name, self._settings.region, self._foundation.ec2_log_group)
        last: deque[str] = deque(maxlen=5)
        told = ""
        for _ in follow.pauses():
            seen = look(self._settings, host.instance_id)  # before its log and status, which then are whole
            status = jobs_in_s3.read(self._settings, self._foundation, name)
            for line in tail.lines():
                last.append(line)
                on_line(line)
            mine = status is not None and status.machine == host.instance_id
            ended = mine and status is not None and status.status not in ("InProgress", "Interrupted")
            now = f"{host.instance_id} is {seen.state}: {status.stage if mine and status else 'Booting'}"
            if now != told:
                on_status(told := now)
            if seen.state in ("terminated", "stopped", "gone") or (self._keep and ended):
                return seen, status if mine else None, last
        raise AssertionError("pauses() never ends")

    def _leave(self, host: TrainingHost, on_status: TellStatus) -> None:
        """Remove what is left of a host that is gone: its alarm, its security group, its hand-over."""
        if not self._keep:
            stacks.training_host(self._settings, on_status).down()

    def _failure(
        self, name: str, host: TrainingHost, seen: Seen, status: Status | None, last: deque[str]
    ) -> str:
        flag = self._settings.flag
        log = f"its whole log is in {self._foundation.ec2_log_group}, streams {name}/…"
        if status is not None and status.status == "Interrupted":
            return (
                f"The host {host.instance_id} was ended before its training was done ({seen.reason or status.failure}); {log}. "
                f"./inv ec2.train{flag} goes on from the checkpoint."
            )
        if status is not None and status.failure:
            told = status.failure
        else:
            last = last or deque(console(self._settings, host.instance_id))
            told = f"it ended without a result ({seen.reason or seen.state}); the last of its log: {' / '.join(last) or 'nothing'}"
        stays = f" The host stays, as asked for: aws ssm start-session --target {host.instance_id}"
        return (
            f"The training {name} failed on {host.instance_id}: {' '.join(told.split())[:900].rstrip('.')}; {log}. Mend the "
            f"cause and run ./inv ec2.train{flag} again.{stays if self._keep else ''}"
        )


def look(settings: Settings, instance_id: str) -> Seen:
    """What EC2 says of an instance; "gone" an hour after its end."""
    ec2 = client("ec2", settings.region)
    # By a filter: an id that EC2 has forgotten is then no error.
    filters = [{"Name": "instance-id", "Values": [instance_id]}]
    found = [i for r in ec2.describe_instances(Filters=filters)["Reservations"] for i in r["Instances"]]
    if not found:
        return Seen("gone", reason="EC2 knows it no more")
    (instance,) = found
    reason = instance.get("StateReason", {})
    told = reason.get("Message") or instance.get("StateTransitionReason", "")
    return Seen(instance["State"]["Name"], reason.get("Code", ""), told)


def console(settings: Settings, instance_id: str) -> list[str]:
    """The last lines that an instance printed, also for an hour after its end; none if EC2 does not give them."""
    try:
        answer = client("ec2", settings.region).get_console_output(InstanceId=instance_id)
    except ClientError:  # no reason to hide the failure that is told
        return []
    return answer.get("Output", "").strip().splitlines()[-5:]


def user_data(**values: str) -> str:
    """The host's script with its settings."""
    settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return USER_DATA.read_text().replace("@SETTINGS@", settings)
