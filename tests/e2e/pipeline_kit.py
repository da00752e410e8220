"""Running tasks as the roles of an environment, each command a stage; and asking the record what a statement was for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from embedded_aws import client
from embedded_aws.pytest_plugin import free_port
from identity_provider_kit import IdentityProvider
from ops.permissions.documents import Document
from ops.permissions.record import Decision

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "image-classifier-local"
REGION = "us-east-1"
PROGRAM = (
    "import sys; sys.path[0] = sys.argv[1]; from cli.program import program; "
    "program.run(['inv', '-r', *sys.argv[1:]])"
)
INSTANCE_VARIABLE = "EMBEDDED_AWS_INSTANCE"  # in the environment of every process of an EC2 instance
SUBJECTS = {
    "ci-plan": "repo:example/image-classifier:pull_request",
    "ci-apply": "repo:example/image-classifier:environment:local",
}


@dataclass(frozen=True)
class Stage:
    """A command that ran, or a step of it, such as "demo: tune"; when, in seconds of the epoch."""

    name: str
    began: float
    ended: float


class Pipeline:
    """`inv(*words)`: run a task to its end. `inv.start(*words)`: start it in a session of its own.

    stages: the commands and their steps, in order.
    gone: policies that a stage has removed again.
    role: "" for the root of the account, "operator", or a role of CI, which has a token and no key.
    """

    def __init__(self, folder: Path):
        self.folder, self.home, self.role = folder, folder / "aws", ""
        self.stages: list[Stage] = []
        self.gone: list[Document] = []
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "INVOKE_"))}
        self._environment = {
            **clean,
            "EMBEDDED_AWS_HOME": str(self.home),
            "EMBEDDED_AWS_PORT": str(free_port()),
            "INV_WORK": str(folder / "work"),
        }

    def start(self, *words: str, role: str | None = None) -> subprocess.Popen:
        command = [sys.executable, "-c", PROGRAM, str(ROOT), *words]
        return subprocess.Popen(
            command,
            env=self.variables(self.role if role is None else role, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self.folder,
        )

    def __call__(self, *words: str, role: str | None = None) -> SimpleNamespace:
        name, began = " ".join([*([role] if role else []), words[0]]), time.time()
        process = self.start(*words, role=role)
        with ThreadPoolExecutor(1) as pool:
            out = pool.submit(process.stdout.read)
            lines = []
            for line in process.stderr:
                lines.append(line)
                if step := re.match(r"✓ (.+?)  ", line):
                    self.stages.append(Stage(f"{name}: {step.group(1).strip()}", began, began := time.time()))
        self.stages.append(Stage(name, began, time.time()))
        answer = out.result()
        return SimpleNamespace(
            code=process.wait(), output="".join(lines), json=json.loads(answer) if answer.strip() else None
        )

    def variables(self, role: str, *words: str) -> dict[str, str]:
        """The environment of a process that works as a role. words: what its session is named after."""
        return {**self._environment, **self._variables(role, words)}

    def root(self, service: str):
        """A client of the account's root."""
        variables = client.variables(self.home, REGION)
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def stage_of(self, moment: float) -> str:
        """The command that ran at a moment, or the last one before it, whose work went on."""
        return [stage.name for stage in self.stages if stage.began <= moment][-1]

    def _variables(self, role: str, words: tuple[str, ...]) -> dict[str, str]:
        """The AWS_* variables of a session of a role, named after the stage."""
        if not role:
            return {}
        variables = client.variables(self.home, REGION)
        asked = {
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
            keys = sts.assume_role_with_web_identity(**asked, WebIdentityToken=token)["Credentials"]
        else:
            keys = self.root("sts").assume_role(**asked)["Credentials"]
        return {
            **variables,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }


def training_process(instance: str) -> int:
    """The process id of the training program on an EC2 instance of the embedded AWS; 0 if there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            marked = f"{INSTANCE_VARIABLE}={instance}".encode() in (folder / "environ").read_bytes().split(
                b"\0"
            )
        except OSError:
            continue  # it has ended
        if marked and len(command) > 1 and command[1].endswith(b"/train.py"):
            return int(folder.name)
    return 0


def without(document: Document, sid: str) -> str:
    """A document as JSON, less one statement."""
    kept = [statement for statement in document.statements if statement["Sid"] != sid]
    return json.dumps({"Version": "2012-10-17", "Statement": kept})


def first_denied(
    iam: Any, documents: list[Document], document: Document, sid: str, decisions: Iterable[Decision]
) -> Decision | None:
    """Return the first decision that would have been a denial if the document lacked a statement.

    IAM's policy simulation decides. A decision by a resource's own policy did not need the statement.
    iam: client of any embedded AWS.
    """
    left = {
        role: [
            json.dumps({"Statement": list(d.statements)})
            for d in documents
            if role in d.roles and d is not document
        ]
        + [without(document, sid)]
        for role in document.roles
    }
    for decision in decisions:
        if (
            decision.allowed
            and decision.principal in left
            and sid in decision.statements
            and decision.reason == "identity-based policy"
            and not is_allowed(iam, left[decision.principal], decision)
        ):
            return decision
    return None


def is_allowed(iam: Any, policies: list[str], decision: Decision) -> bool:
    """Report whether policies allow what a decision was about."""
    context = [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value] if isinstance(value, str) else value,
            "ContextKeyType": "string" if isinstance(value, str) else "stringList",
        }
        for key, value in decision.context.items()
    ]
    answer = iam.simulate_custom_policy(
        PolicyInputList=policies,
        ActionNames=[decision.action],
        ResourceArns=[decision.resource],
        ContextEntries=context,
    )
    return answer["EvaluationResults"][0]["EvalDecision"] == "allowed"
