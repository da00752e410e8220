"""What every task has in common: options, errors of one sentence, the environment it works in."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.tasks import Task

from cli import embedded
from ops import interrupts, outcome, settings
from ops.console import emit, say
from ops.errors import OperatorError
from ops.outcome import Outcome

if TYPE_CHECKING:
    from ops.environment import Environment

ENV = {"env": "environment: local (default), dev, prod, or another environments/*.toml; INVOKE_ENV sets it"}
JSON = {"json": "print the result as JSON on standard output"}
AGAIN = {"again": "run again even if nothing has changed since the last success"}

Body = Callable[..., None]


class Reported(OperatorError):
    """An error that the command's result, which is printed already, explains: `--json` prints nothing more."""


def operator_task(*, help: dict[str, str] | None = None, **options: Any) -> Callable[[Body], Task[Body]]:
    """Return a decorator for invoke tasks: an operator's error prints one sentence, an interruption no traceback."""

    def decorate(body: Body) -> Task[Body]:
        @functools.wraps(body)
        def run(*arguments: Any, **named: Any) -> None:
            from botocore.exceptions import BotoCoreError, ClientError

            from ops.aws import aws_errors

            def end(error: Exception, message: str) -> Exit:
                found = outcome.of_error(error)
                as_json = bool(named.get("json")) and not isinstance(error, Reported)
                emit({"outcome": str(found), "reason": message}, as_json)
                return Exit(f"inv: {message}", found.exit_status)

            try:
                with interrupts.raised(), aws_errors(f"./inv {body.__name__.replace('_', '.', 1)}"):
                    body(*arguments, **named)
            except (OperatorError, embedded.Error) as error:
                raise end(error, str(error)) from error
            except (ClientError, BotoCoreError, OSError) as error:
                raise end(error, f"{type(error).__name__}: {error}") from error
            except KeyboardInterrupt as interrupt:
                code = 128 + getattr(interrupt, "signal", signal.SIGINT)
                raise Exit("inv: interrupted; run the same command again to resume.", code) from None

        return Task(run, help=help or {}, **options)

    return decorate


def finish(result: dict[str, Any], as_json: bool) -> None:
    """Print the result of stages as JSON if `--json` is given, and exit with the status of its outcome.

    result: with the members `outcome` and `reason`.
    """
    emit(result, as_json)
    exit_with(result)


def exit_with(ended: Mapping[str, Any]) -> None:
    """Exit with the status of an outcome, unless it is 0. ended: with the members `outcome` and `reason`."""
    found, reason = Outcome(ended["outcome"]), ended["reason"]
    if found.exit_status:
        label = "degraded: " if found is Outcome.DEGRADED else ""
        raise Exit(f"inv: {label}{reason}", found.exit_status)


def connect(name: str | None) -> Environment:
    """Return an environment by name, and point this process at its AWS. Starts the embedded AWS if it is one."""
    chosen = settings.load(name)
    if chosen.embedded_aws:
        embedded.start()
        embedded.point_at(chosen.region)
    elif url := os.environ.get("AWS_ENDPOINT_URL"):
        say(f"AWS_ENDPOINT_URL is set: environment {chosen.environment} uses the AWS at {url}.")

    from ops.environment import Environment
    from ops.sessions import sign_in

    environment = Environment(chosen)
    sign_in(environment.session)
    return environment


def refuse_unused(**options: object) -> None:
    """Raise OperatorError if an option is given that the command would ignore.

    options: by name; the special one `reason` says when they are used.
    """
    reason = options.pop("reason")
    if given := [f"--{name.replace('_', '-')}" for name, value in options.items() if value]:
        raise OperatorError(f"{' and '.join(given)}: {reason}. Omit {'it' if len(given) == 1 else 'them'}.")
