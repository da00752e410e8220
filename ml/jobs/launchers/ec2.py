"""The EC2 launcher: one host that trains one job and terminates, created by stack training_host."""

from __future__ import annotations

import re
import shlex
from collections import deque
from dataclasses import dataclass
from typing import Any

from ml.jobs import follow, job_inputs
from ml.jobs.launchers import hosts, jobs_in_s3
from ml.jobs.launchers.base import OnLine, OnStatus, Outcome, Training
from ml.jobs.launchers.hosts import ALIVE, ENDING, Host
from ml.runner.job import Status
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.quotas import vcpus
from ops.settings.ec2 import HostSettings
from ops.terraform import stacks
from ops.text import clause
from ops.waiting import Pause, wait_for

USER_DATA = jobs_in_s3.RUNNER / "user_data.sh"
INSTANCE = "module.training_host.aws_instance.this"
MAX_LAUNCHES = 20  # for one job: after so many refusals and interruptions, EC2 has no capacity
END_SECONDS = 900  # EC2 gives a stopping instance minutes
RECLAIMED = "Server.SpotInstanceTermination"
NO_CAPACITY = re.compile(r"InsufficientInstanceCapacity|SpotMaxPriceTooLow|no Spot capacity", re.I)
LOG_LINES = 5  # in an error message


class NoCapacity(OperatorError):
    """EC2 has no capacity for the instance type in a zone at the moment."""


@dataclass(frozen=True)
class _End:
    """How a host ended.

    host: its last state.
    status: the job's status if this host wrote it, or if the job is completed.
    lines: the last lines of its log.
    """

    host: Host
    status: Status | None
    lines: deque[str]

    @property
    def completed(self) -> bool:
        return self.status is not None and self.status.status == "Completed"

    @property
    def reclaimed(self) -> bool:
        """Whether EC2 reclaimed the Spot Instance, so that another host resumes the job."""
        by_runner = self.status is not None and self.status.reclaimed
        return self.host.spot and (by_runner or self.host.reason_code == RECLAIMED)


class Ec2Launcher:
    """Runs jobs on one host at a time."""

    name = "ec2"

    def __init__(self, env: Environment, host: HostSettings | None = None, keep: bool = False) -> None:
        """host: replaces the environment's settings. keep: keep the host running when its job has ended."""
        self._env = env
        self._settings = host or env.settings.ec2
        self._keep = keep

    def job_prefix(self, training: Training) -> str:
        return f"{self._env.settings.prefix}-{training.task}-ec2"

    def check(self, training: Training) -> None:
        if training.instances != 1:
            raise Refused(
                f"--on ec2 trains on one host: omit --instances {training.instances}, or train on SageMaker."
            )

    def fingerprint_inputs(self, training: Training) -> dict[str, Any]:
        fields = {"epochs", "weight_decay", "seed"}
        return {
            "training": self._env.settings.training.model_dump(include=fields),
            "host": self._settings.instance_type,
        }

    def describe(self, name: str) -> dict[str, Any] | None:
        return jobs_in_s3.describe(self._env, name)

    def run(self, training: Training, name: str, on_status: OnStatus, on_line: OnLine) -> Outcome:
        pause = Pause(shortest=10, longest=60)
        for launch in range(MAX_LAUNCHES):
            try:
                host = self._running_host(name, on_status) or self._launch(training, name, launch, on_status)
            except NoCapacity as refused:
                if launch == MAX_LAUNCHES - 1:
                    stacks.training_host(self._env, on_status).down()
                    raise
                on_status(f"{refused}; trying the next zone", important=True)
                pause()
                continue
            jobs_in_s3.mark_launched(self._env, name, host.instance_id)
            end = self._follow(name, host, on_status, on_line)
            if end.completed or not end.reclaimed:
                break
            on_status(
                f"EC2 reclaimed {host.instance_id}: the next host resumes from the checkpoint", important=True
            )
        self._remove_stack(end.host, on_status)
        if end.status is not None and end.completed:
            return jobs_in_s3.outcome(self._env, name, end.status)
        raise OperatorError(self._failure(name, end))

    def outcome(self, name: str) -> Outcome:
        status = jobs_in_s3.read_status(self._env, name)
        assert status is not None  # the job has succeeded
        return jobs_in_s3.outcome(self._env, name, status)

    def _running_host(self, name: str, on_status: OnStatus) -> Host | None:
        """Return the host that an earlier command launched for the job. Raises OperatorError for another job's host.

        Waits until a host that is ending has ended, as Terraform would treat it as existing.
        """
        host: Host | None = None

        def no_host_ending() -> bool | None:
            nonlocal host
            host = hosts.find(self._env)
            return None if host is not None and host.state in ENDING else True

        def ending() -> str:
            assert host is not None
            return f"{host.instance_id} is {host.state}"

        wait_for(
            no_host_ending,
            seconds=END_SECONDS,
            on_wait=lambda: on_status(f"waiting until the previous host has ended: {ending()}"),
            on_timeout=lambda: (
                f"The previous host has not ended within {END_SECONDS // 60} minutes: {ending()}. Look at the EC2 "
                "console, then run the same command again."
            ),
        )
        if host is not None and host.job != name:
            raise OperatorError(
                f"The host {host.instance_id} trains {host.job or 'another job'}: wait until it has ended, or end it "
                f"with ./inv ec2.down{self._env.settings.flag}."
            )
        return host

    def _launch(self, training: Training, name: str, launch: int, on_status: OnStatus) -> Host:
        """Launch a host. launch: how many were launched for the job; each goes to the next zone. Raises NoCapacity."""
        on_status(f"checking the quota of {self._settings.instance_type}")
        note = vcpus.check_vcpus(self._env, self._settings.instance_type, spot=self._settings.spot)
        if note:
            on_status(note, important=True)
        variables = self._settings.variables() | {
            "job": name,
            "keep": self._keep,
            "zone": launch,
            "user_data": self._user_data(training, name),
        }
        if self._keep:  # a person who inspects the host hardly uses its CPU
            variables["lifetime"] = {**variables["lifetime"], "idle_minutes": 0}
        stack = stacks.training_host(self._env, on_status, variables)
        try:
            with stack.locked():
                plan = stack.plan()
                replaced = any(c.address == INSTANCE and "delete" in c.actions for c in plan.changes)
                if replaced and (host := self._running_host(name, on_status)):
                    return host  # another command launched it at the same time
                if plan.changes:
                    stack.apply(plan)
        except OperatorError as error:
            if found := NO_CAPACITY.search(str(error)):
                market = "Spot" if self._settings.spot else "on-demand"
                raise NoCapacity(
                    f"EC2 has no {market} capacity for {self._settings.instance_type} in this zone ({found.group()})"
                ) from error
            raise
        host = hosts.find(self._env)
        if host is None or host.job != name:
            raise OperatorError(
                f"The host for {name} ended right after its launch: run the same command again."
            )
        return host

    def _user_data(self, training: Training, name: str) -> str:
        foundation = self._env.outputs.foundation
        runner, digest = jobs_in_s3.upload_runner(self._env)
        return user_data(
            REGION=self._env.settings.region,
            JOB_URI=str(jobs_in_s3.write(training, name, self.name, foundation.ec2_log_group)),
            JOB_NAME=name,
            RUNNER_URI=str(runner),
            RUNNER_SHA256=digest,
            LAUNCHED_PREFIX=str(jobs_in_s3.launched_prefix(self._env, name)),
            ENDED_PREFIX=str(jobs_in_s3.ended_prefix(self._env, name)),
            LOG_GROUP=foundation.ec2_log_group,
            PIP_PACKAGES=" ".join(job_inputs.host_packages()),
            KMS_KEY=foundation.kms_key_arn,
            KEEP="yes" if self._keep else "no",
        )

    def _follow(self, name: str, host: Host, on_status: OnStatus, on_line: OnLine) -> _End:
        """Follow a host until it has ended, or a kept host until its job has ended. Its own lifetime bounds the wait."""
        try:
            return self._poll(name, host, on_status, on_line)
        except KeyboardInterrupt:
            on_status(
                f"{host.instance_id} keeps running and ends with its training; "
                f"./inv ec2.down{self._env.settings.flag} ends it now",
                important=True,
            )
            raise

    def _poll(self, name: str, host: Host, on_status: OnStatus, on_line: OnLine) -> _End:
        tail = follow.LogTail(self._env, name, self._env.outputs.foundation.ec2_log_group)
        lines: deque[str] = deque(maxlen=LOG_LINES)
        shown = ""
        own_limit = self._settings.max_minutes * 60  # of the host, which then ends itself
        stop = f"./inv ec2.down{self._env.settings.flag}"
        pause = Pause(
            limit=own_limit + follow.MARGIN_SECONDS, on_timeout=lambda: follow.outlived(name, own_limit, stop)
        )
        while True:
            # The host before its log and status: these are complete once it has ended.
            now = hosts.get(self._env, host.instance_id)
            job_ended = host.keep and jobs_in_s3.has_ended(self._env, name, host.instance_id)
            status = jobs_in_s3.read_status(self._env, name)
            for line in tail.lines():
                lines.append(line)
                on_line(line)
            if status and status.machine != host.instance_id and status.status != "Completed":
                status = None  # the previous host wrote it
            text = f"{host.instance_id} is {now.state}: {status.stage if status else 'Booting'}"
            if text != shown:
                on_status(shown := text)
            if job_ended or now.state in ("terminated", "stopped", "gone"):
                return _End(now, status, lines)
            pause()

    def _remove_stack(self, host: Host, on_status: OnStatus) -> None:
        """Destroy the stack of a host that has ended, unless another host was launched since."""
        current = hosts.find(self._env)
        if host.state not in ALIVE and (current is None or current.instance_id == host.instance_id):
            stacks.training_host(self._env, on_status).down()

    def _failure(self, name: str, end: _End) -> str:
        host, status = end.host, end.status
        log = f"Its whole log is in {self._env.outputs.foundation.ec2_log_group}, streams {name}/…."
        command = f"./inv ec2.train{self._env.settings.flag}{self._options()}"
        lines = end.lines or hosts.console_output(self._env, host.instance_id)
        last_lines = f"The last lines of its log: {' / '.join(lines) or 'none'}."
        if status is not None and status.status in jobs_in_s3.PENDING:
            reason = clause(host.reason or status.failure)
            return (
                f"The host {host.instance_id} ended before its training was complete ({reason}). {last_lines} {log} "
                f"Run {command} to resume from the checkpoint."
            )
        if status is not None and status.failure:
            reason = clause(status.failure, 900)
        else:
            reason = f"it ended without a result ({clause(host.reason or host.state)}). {last_lines[:-1]}"
        kept = f" The host keeps running: aws ssm start-session --target {host.instance_id}"
        return (
            f"The training {name} failed on {host.instance_id}: {reason}. {log} Fix the cause and run {command} again."
            f"{kept if host.state in ALIVE else ''}"
        )

    def _options(self) -> str:
        """Return the command line options that differ from the environment's settings."""
        default = self._env.settings.ec2
        instance_type = self._settings.instance_type
        return (
            (f" --instance-type {instance_type}" if instance_type != default.instance_type else "")
            + (" --spot" if self._settings.spot and not default.spot else "")
            + (" --keep" if self._keep else "")
        )


def user_data(**variables: str) -> str:
    """Return the user data script with its variables."""
    lines = "\n".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return USER_DATA.read_text(encoding="utf-8").replace("@SETTINGS@", lines)
