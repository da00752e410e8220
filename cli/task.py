"""What every task has in common: one-sentence errors, the environment it works in, the embedded AWS it may start."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from invoke import Exit, task

from ops import settings as environments
from ops.console import Step, say
from ops.errors import OperatorError
from ops.paths import ROOT

ENV = {"env": "environment: local (default), dev, prod, or another environments/*.toml; INVOKE_ENV sets it"}
JSON = {"json": "print the result as JSON on standard output"}
AGAIN = {"again": "run anew even if nothing has changed since the last success"}


def local_home() -> Path:
    """Where the embedded AWS keeps its state."""
    return Path(os.environ.get("EMBEDDED_AWS_HOME", ROOT / ".embedded_aws"))


def operator_task(*, help: dict[str, str] | None = None, **options):
    """An invoke task whose operator's errors are one sentence, and whose interruption is no traceback."""

    def decorate(body):
        @functools.wraps(body)
        def run(*arguments, **named):
            from botocore.exceptions import BotoCoreError, ClientError

            from embedded_aws.client import EmbeddedAwsError
            from ops.aws import aws_errors

            try:
                with aws_errors(f"./inv {body.__name__.replace('_', '.', 1)}"):
                    return body(*arguments, **named)
            except (OperatorError, EmbeddedAwsError) as error:
                raise Exit(f"inv: {error}", 1) from error
            except (ClientError, BotoCoreError, OSError) as error:
                raise Exit(f"inv: {type(error).__name__}: {error}", 1) from error
            except KeyboardInterrupt:
                raise Exit(
                    "inv: interrupted; the same command takes up where this one stopped.", 130
                ) from None

        return task(run, help=help or {}, **options)

    return decorate


def environment(name: str | None):
    """The settings of an environment, with this process pointed at its AWS."""
    settings = environments.load(name)
    if settings.embedded_aws:
        from embedded_aws import client as daemon

        if not daemon.status(local_home()).running:
            with Step("embedded AWS") as step:
                address = daemon.start(local_home(), port_of())
                step.note = f"at {address.endpoint_url}, state in {short(local_home())}"
        point_at(settings)
    elif url := os.environ.get("AWS_ENDPOINT_URL"):
        say(f"AWS_ENDPOINT_URL is set: environment {settings.environment} is the one at {url}.")
    return settings


def point_at(settings) -> None:
    """Point this process at the embedded AWS: as root, or as the role whose session there the shell has."""
    from embedded_aws import client as daemon

    there = (
        os.environ.get("AWS_ENDPOINT_URL")
        == daemon.variables(local_home(), settings.region)["AWS_ENDPOINT_URL"]
    )
    if there and "AWS_SESSION_TOKEN" in os.environ:
        return
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(daemon.variables(local_home(), settings.region))


def decision_record(settings) -> Path:
    """The file in which the embedded AWS records what its access control decides. Raises OperatorError elsewhere."""
    if not settings.embedded_aws:
        raise OperatorError(
            f"Environment {settings.environment} is an AWS account, which keeps no record of every decision: rehearse "
            "with ./inv demo and run ./inv policies --env local, or ask IAM Access Analyzer about unused access."
        )
    return local_home() / "log" / "decisions.jsonl"


def port_of(option: int = 0) -> int | None:
    """The port that the operator asked for, by --port before EMBEDDED_AWS_PORT."""
    name, value = (
        ("--port", str(option)) if option else ("EMBEDDED_AWS_PORT", os.environ.get("EMBEDDED_AWS_PORT"))
    )
    if value is None:
        return None
    if not value.isdigit() or not 1024 <= int(value) <= 65535:
        raise OperatorError(f"{name} is {value!r}: give a port from 1024 to 65535.")
    return int(value)


def short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(ROOT) else str(path)
