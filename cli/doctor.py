"""The task that examines machine, shell and home folder: `./inv doctor`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from cli import embedded
from cli.task import ENV, JSON, Reported, operator_task
from ops import console, settings
from ops.console import emit
from ops.errors import OperatorError

if TYPE_CHECKING:
    from ops.doctor.finding import Finding
    from ops.settings import Settings

_ORDER = ("stops", "matters", "ignored", "ok")
_COLUMNS = ["name", "seen", "effect", "because", "what to do"]


@operator_task(help={**ENV, **JSON})
def doctor(c: Context, env: str | None = None, json: bool = False) -> None:
    """Show which variables, files and properties of this machine matter, are ignored, or will stop a command.

    Exits with 1 if something will stop a command. Changes nothing, and starts nothing.
    """
    from ops.doctor import files, machine, variables
    from ops.doctor.finding import Finding

    problems: list[Finding] = []
    chosen: Settings | None = None
    try:
        chosen = settings.load(env)
    except OperatorError as error:
        problems = [
            Finding("environment", env or "INVOKE_ENV", "stops", str(error), "correct it, or choose another")
        ]
    own_aws = chosen is None or chosen.embedded_aws
    found = [
        *problems,
        *variables.examine(os.environ, own_aws=own_aws),
        *files.examine(Path.home(), os.environ, own_aws=own_aws),
        *machine.examine(),
        *(_aws(chosen) if chosen else ()),
    ]
    found.sort(key=lambda finding: _ORDER.index(finding.effect))
    rows = [(f.name, f.seen, f.effect, f.reason, f.advice) for f in found]
    console.table("Doctor", _COLUMNS, rows)
    stops = [f for f in found if f.effect == "stops"]
    emit({"findings": [asdict(f) for f in found], "stops": len(stops)}, json)
    if stops:
        named = "; ".join(f"{f.name}: {f.reason}" + (f" ({f.advice})" if f.advice else "") for f in stops)
        raise Reported(f"{len(stops)} will stop a command: {named}.")


def _aws(chosen: Settings) -> list[Finding]:
    """Return findings about the environment's AWS."""
    from ops.doctor import account
    from ops.doctor.finding import Finding
    from ops.environment import Environment

    if chosen.embedded_aws:
        try:
            embedded.port()
        except OperatorError:
            return []  # reported with the variable
        if not embedded.is_running():
            place = embedded.short(embedded.home())
            return [Finding("embedded AWS", place, "ok", "is not running; the first command starts it")]
        embedded.point_at(chosen.region)
    return account.examine(lambda: Environment(chosen))
