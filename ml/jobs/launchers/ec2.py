"""A host of EC2 that trains one job and is gone: brought up by stack training_host, followed by its log."""

from __future__ import annotations

import re
import shlex
from collections import deque
from typing import Any

from ml.jobs import follow
from ml.jobs import job_inputs as program
from ml.jobs.launchers import hosts, jobs_in_s3
from ml.jobs.launchers.base import Outcome, Tell, TellStatus, Training
from ml.jobs.launchers.hosts import ALIVE, GOING, Host
from ml.runner.job import Status
from ops import quotas
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.settings import Settings
from ops.settings.ec2 import HostSettings
from ops.terraform import stacks

USER_DATA = jobs_in_s3.HOST / "user_data.sh"
INSTANCE = "module.training_host[0].aws_instance.this"
MOST_LAUNCHES = 20  # for one job: capacity that is refused or taken back so often is not to be had
RECLAIMED = "Server.SpotInstanceTermination"
NO_CAPACITY = re.compile(r"InsufficientInstanceCapacity|SpotMaxPriceTooLow|no Spot capacity", re.I)
LINES = 5  # of a log, in a sentence


class NoCapacity(OperatorError):
    """EC2 has none of the type in a zone, for now."""


class Ec2Launcher:
    """Runs jobs on one host at a time. host: instead of the environment's settings. keep: a host stays when its job ends."""

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
        waits = follow.pauses(shortest=10, longest=60)
        for launch in range(MOST_LAUNCHES):
            try:
                host = self._alive(name, on_status) or self._launch(training, name, launch, on_status)
            except NoCapacity as refused:
                if launch == MOST_LAUNCHES - 1:
                    stacks.training_host(self._settings, on_status).down()
                    raise
                on_status(f"{refused}; asking in the next zone", important=True)
                next(waits)
                continue
            jobs_in_s3.mark_launched(self._settings, self._foundation, name, host.instance_id)
            try:
                seen, status, last = self._follow(name, host, on_status, on_line)
            except KeyboardInterrupt:
                on_status(
                    f"{host.instance_id} goes on by itself, and ends with its training; ./inv ec2.down{self._settings.flag} "
                    "ends it now",
                    important=True,
                )
                raise
            if status is not None and status.status == "Completed":
                self._leave(seen, on_status)
                return jobs_in_s3.outcome(self._foundation, name, status)
            if not (host.spot and (seen.reason_code == RECLAIMED or (status and status.reclaimed))):
                break
            on_status(
                f"EC2 took {host.instance_id} back: the next host goes on from the checkpoint", important=True
            )
        self._leave(seen, on_status)
        raise OperatorError(self._failure(name, seen, status, last))

    def outcome(self, name: str) -> Outcome:
        status = jobs_in_s3.read(self._settings, self._foundation, name)
        assert status is not None  # `describe` has found it
        return jobs_in_s3.outcome(self._foundation, name, status)

    def _alive(self, name: str, on_status: TellStatus) -> Host | None:
        """The host that a command before this one has brought up for the job; one that is going is waited for, as
        Terraform takes it for there. Raises OperatorError for another job's."""
        for _ in follow.pauses():
            host = hosts.find(self._settings)
            if host is None or host.state not in GOING:
                break
            on_status(f"waiting for the end of {host.instance_id}, which is {host.state}")
        if host is not None and host.job != name:
            raise OperatorError(
                f"The host {host.instance_id} trains {host.job or 'something'}: wait for its end, or end it with "
                f"./inv ec2.down{self._settings.flag}."
            )
        return host

    def _launch(self, training: Training, name: str, launch: int, on_status: TellStatus) -> Host:
        """Bring a host up. launch: which one for the job; each asks in another zone. Raises NoCapacity."""
        on_status(f"asking for a quota of {self._host.instance_type}")
        note = quotas.check_vcpus(self._settings.region, self._host.instance_type, spot=self._host.spot)
        if note:
            on_status(note, important=True)
        wanted = self._host.variables() | {
            "job": name,
            "keep": self._keep,
            "zone": launch,
            "user_data": self._script(training, name),
        }
        if self._keep:  # to look around takes no processor
            wanted["lifetime"] = {**wanted["lifetime"], "idle_minutes": 0}
        stack = stacks.training_host(self._settings, on_status, wanted)
        plan = stack.plan()
        replaced = any(c.address == INSTANCE and "delete" in c.actions for c in plan.changes)
        if replaced and (host := self._alive(name, on_status)):
            return host  # of a command that was at work at the same time
        try:
            if plan.changes:
                stack.apply(plan)
        except OperatorError as error:
            if found := NO_CAPACITY.search(str(error)):
                market = "as a Spot Instance" if self._host.spot else "on demand"
                raise NoCapacity(
                    f"EC2 has no {self._host.instance_type} {market} there ({found.group()})"
                ) from error
            raise
        made = hosts.find(self._settings)
        if made is None or made.job != name:
            raise OperatorError(
                f"The host for {name} was gone as soon as it was there: run the same command again."
            )
        return made

    def _script(self, training: Training, name: str) -> str:
        log_group = self._foundation.ec2_log_group
        uri, digest = jobs_in_s3.upload_host_program(self._settings, self._foundation)
        return user_data(
            REGION=self._settings.region,
            JOB_URI=jobs_in_s3.write(training, name, self.name, log_group),
            JOB_NAME=name,
            RUNNER_URI=uri,
            RUNNER_SHA256=digest,
            LAUNCHED_PREFIX=jobs_in_s3.launched_prefix(self._foundation, name),
            ENDED_PREFIX=jobs_in_s3.ended_prefix(self._foundation, name),
            LOG_GROUP=log_group,
            PIP_PACKAGES=" ".join(program.host_packages()),
            KMS_KEY=self._foundation.kms_key_arn,
            KEEP="yes" if self._keep else "no",
        )

    def _follow(
        self, name: str, host: Host, on_status: TellStatus, on_line: Tell
    ) -> tuple[Host, Status | None, deque[str]]:
        """Until the host is gone; one that stays, until its job has ended. Returns the last look, the job's status if it
        is this host's or Completed, and the last lines."""
        tail = follow.LogTail(name, self._settings.region, self._foundation.ec2_log_group)
        last: deque[str] = deque(maxlen=LINES)
        told = ""
        for _ in follow.pauses():
            seen = hosts.look(
                self._settings, host.instance_id
            )  # before its log and status, which then are whole
            over = host.keep and jobs_in_s3.has_ended(
                self._settings, self._foundation, name, host.instance_id
            )
            status = jobs_in_s3.read(self._settings, self._foundation, name)
            for line in tail.lines():
                last.append(line)
                on_line(line)
            if status and status.machine != host.instance_id and status.status != "Completed":
                status = None  # of the host before
            now = f"{host.instance_id} is {seen.state}: {status.stage if status else 'Booting'}"
            if now != told:
                on_status(told := now)
            if over or seen.state in ("terminated", "stopped", "gone"):
                return seen, status, last
        raise AssertionError("pauses() never ends")

    def _leave(self, host: Host, on_status: TellStatus) -> None:
        """Remove what is left of a host that is gone: its alarm, its security group, its hand-over. Not if another has
        come up since."""
        there = hosts.find(self._settings)
        if host.state not in ALIVE and (there is None or there.instance_id == host.instance_id):
            stacks.training_host(self._settings, on_status).down()

    def _failure(self, name: str, host: Host, status: Status | None, last: deque[str]) -> str:
        log = f"its whole log is in {self._foundation.ec2_log_group}, streams {name}/…"
        again = f"./inv ec2.train{self._settings.flag}{self._options()}"
        told = " / ".join(last or hosts.console(self._settings, host.instance_id)) or "nothing"
        if status is not None and status.status in jobs_in_s3.PENDING:
            return (
                f"The host {host.instance_id} was ended before its training was done ({host.reason or status.failure}); the "
                f"last of its log: {told}; {log}. {again} goes on from the checkpoint."
            )
        why = status.failure if status is not None and status.failure else ""
        why = why or f"it ended without a result ({host.reason or host.state}); the last of its log: {told}"
        stays = f" The host stays, as asked for: aws ssm start-session --target {host.instance_id}"
        return (
            f"The training {name} failed on {host.instance_id}: {' '.join(why.split())[:900].rstrip('.')}; {log}. Mend the "
            f"cause and run {again} again.{stays if host.state in ALIVE else ''}"
        )

    def _options(self) -> str:
        """Of the command line, what is not the environment's own."""
        usual = self._settings.ec2
        kind = self._host.instance_type
        return (
            (f" --instance-type {kind}" if kind != usual.instance_type else "")
            + (" --spot" if self._host.spot and not usual.spot else "")
            + (" --keep" if self._keep else "")
        )


def user_data(**values: str) -> str:
    """The host's script with its settings."""
    settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return USER_DATA.read_text().replace("@SETTINGS@", settings)
