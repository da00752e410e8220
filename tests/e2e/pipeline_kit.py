"""Run tasks as the roles of an environment, on an embedded AWS of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore import UNSIGNED
from botocore.config import Config

from embedded_aws import client
from embedded_aws.pytest_plugin import free_port
from identity_provider_kit import IdentityProvider
from ops.permissions.documents import Document
from tests.e2e.repository_copy import copy_repository

PREFIX = "image-classifier-local"
REGION = "us-east-1"
PROGRAM = (
    "import sys; sys.path[0] = sys.argv[1]; from cli.program import program; "
    "program.run(['inv', '-r', *sys.argv[1:]])"
)
INSTANCE_VARIABLE = "EMBEDDED_AWS_INSTANCE"  # in the environment of the first processes of an EC2 instance
SUBJECTS = {
    "ci-plan": "repo:example/image-classifier:pull_request",
    "ci-apply": "repo:example/image-classifier:environment:local",
}


@dataclass(frozen=True)
class Stage:
    """A command that ran, or a step of it, such as "demo: tune"."""

    name: str
    began: float
    """Start in seconds since the epoch."""


@dataclass(frozen=True)
class Result:
    """Result of a command."""

    code: int
    """Exit status."""

    messages: str
    """Standard error: progress, tables, errors."""

    json: Any
    """Output of option --json; None without it."""


class Pipeline:
    """Runs the tasks of a copy of this repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = copy_repository(folder / "repository")
        self.home = folder / "aws"
        self.role = ""
        """Role that runs the tasks: "" for the account's root, "operator", "ci-plan" or "ci-apply"."""
        self.stages: list[Stage] = []
        """Commands and their steps, in order."""
        self.removed_documents: list[Document] = []
        """Policies that a command has removed again."""
        self.root = cache(self._root)
        """Return a client of the account's root."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            # The copy is temporary, so cached bytecode does no harm, and every command starts faster.
            if not name.startswith(("AWS_", "INVOKE_")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        self._environment = {
            **inherited,
            "EMBEDDED_AWS_HOME": str(self.home),
            "EMBEDDED_AWS_PORT": str(free_port()),
            "INV_WORK": str(folder / "work"),
        }

    def start(self, *words: str, role: str | None = None) -> subprocess.Popen[str]:
        """Start a task in a session of its own. role: by default the role of this object."""
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.repository), *words],
            env=self.variables(self.role if role is None else role, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self.folder,
        )

    def __call__(self, *words: str, role: str | None = None) -> Result:
        """Run a task to its end."""
        name, began = " ".join([*([role] if role else []), words[0]]), time.time()
        process = self.start(*words, role=role)
        assert process.stdout and process.stderr
        with ThreadPoolExecutor(1) as pool:
            output = pool.submit(process.stdout.read)
            messages = []
            for line in process.stderr:
                messages.append(line)
                if step := re.match(r"✓ (.+?)  ", line):
                    self.stages.append(Stage(f"{name}: {step.group(1).strip()}", began))
                    began = time.time()
        self.stages.append(Stage(name, began))
        text = output.result()
        return Result(process.wait(), "".join(messages), json.loads(text) if text.strip() else None)

    def succeed(self, *words: str, role: str | None = None) -> Result:
        """Run a task that must succeed, with option --json."""
        result = self(*words, "--json", role=role)
        assert result.code == 0, result.messages
        return result

    def fail(self, *words: str, role: str | None = None) -> str:
        """Run a task that must fail with an error message. Return its messages."""
        result = self(*words, role=role)
        assert result.code == 1, result.messages
        assert "Traceback" not in result.messages
        return result.messages

    def kill(self, pattern: str, *words: str) -> None:
        """Start a task and kill it with SIGKILL when it writes a line that has a pattern."""
        began = time.time()
        process = self.start(*words)
        assert process.stderr
        lines = []
        for line in process.stderr:
            lines.append(line)
            if re.search(pattern, line):
                break
        else:
            raise AssertionError(f"No line has {pattern!r}: {''.join(lines)}")
        kill_group(process)
        self.stages.append(Stage(words[0], began))

    def variables(self, role: str, *words: str) -> dict[str, str]:
        """Return the environment variables of a process with a role. words: become the name of its session."""
        if not role:
            return self._environment
        variables = client.variables(self.home, REGION)
        request = {
            "RoleArn": f"arn:aws:iam::123456789012:role/access/{PREFIX}-{role}",
            "RoleSessionName": re.sub(r"[^\w-]+", "-", " ".join(words))[:64],
        }
        if role in SUBJECTS:
            token = IdentityProvider(self.home).token(SUBJECTS[role])
            sts = boto3.client(
                "sts",
                region_name=REGION,
                endpoint_url=variables["AWS_ENDPOINT_URL"],
                config=Config(signature_version=UNSIGNED),
            )
            keys = sts.assume_role_with_web_identity(**request, WebIdentityToken=token)["Credentials"]
        else:
            keys = self.root("sts").assume_role(**request)["Credentials"]
        return {
            **self._environment,
            **variables,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def stage_at(self, moment: float) -> str:
        """Return the name of the command or step that ran at a moment, or of the last one before it."""
        return [stage.name for stage in self.stages if stage.began <= moment][-1]

    def outputs(self, stack: str) -> dict[str, str]:
        """Return the outputs of a stack; empty before it is applied."""
        ssm = self.root("ssm")
        try:
            parameter = ssm.get_parameter(Name=f"/image-classifier/local/{stack}")
        except ssm.exceptions.ParameterNotFound:
            return {}
        outputs: dict[str, str] = json.loads(parameter["Parameter"]["Value"])
        return outputs

    def log(self, group: str, job: str) -> str:
        """Return the log of a job, of all its instances."""
        pages = self.root("logs").get_paginator("filter_log_events")
        found = [event for page in pages.paginate(logGroupName=group) for event in page["events"]]
        # moto ignores logStreamNamePrefix.
        return "\n".join(e["message"] for e in found if e["logStreamName"].startswith(f"{job}/"))

    def _root(self, service: str) -> Any:
        variables = client.variables(self.home, REGION)
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a command and its children with SIGKILL."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def training_process(instance: str) -> psutil.Process | None:
    """Return the training program on an EC2 instance of the embedded AWS."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if len(command) < 2 or not command[1].endswith("/train.py"):
                continue
            # The program itself gets no variables of the machine.
            if any(p.environ().get(INSTANCE_VARIABLE) == instance for p in process.parents()):
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended
    return None


def has_checkpoint(training: psutil.Process) -> bool:
    """Return whether a training program has finished an epoch."""
    return Path(f"/proc/{training.pid}/cwd/../checkpoints/checkpoint.pt").exists()
