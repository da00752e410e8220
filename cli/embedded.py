"""The embedded AWS of this repository: where it is, how it starts, how a process uses it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from embedded_aws import client
from ops.console import Step
from ops.errors import OperatorError
from ops.paths import ROOT
from ops.settings import Settings

if TYPE_CHECKING:
    from ops.environment import Environment

Error = client.EmbeddedAwsError


def home() -> Path:
    """Return the folder with its state."""
    return Path(os.environ.get("EMBEDDED_AWS_HOME", ROOT / ".embedded_aws"))


def is_running() -> bool:
    """Return whether it answers."""
    return client.status(home()).running


def start() -> None:
    """Start it, unless it is running."""
    if is_running():
        return
    with Step("embedded AWS") as step:
        address = client.start(home(), port())
        step.note = f"at {address.endpoint_url}, state in {short(home())}"


def point_at(region: str) -> None:
    """Point this process at it, as root; or as the role whose session the shell's variables already hold."""
    variables = client.variables(home(), region)
    same = os.environ.get("AWS_ENDPOINT_URL") == variables["AWS_ENDPOINT_URL"]
    if not (same and "AWS_SESSION_TOKEN" in os.environ):
        _set_aws_variables(variables)


@contextlib.contextmanager
def scratch_account(settings: Settings, folder: Path, step: Step) -> Iterator[Environment]:
    """Yield an environment in an empty embedded AWS of its own, and point this process at it.

    folder: for its state; an existing one is removed.
    """
    from ops.environment import Environment

    client.destroy(folder)  # left by a run that was killed
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    try:
        step("starting an embedded AWS to plan on")
        client.start(folder)
        _set_aws_variables(client.variables(folder, settings.region))
        yield Environment(settings)
    finally:
        _set_aws_variables(before)
        client.destroy(folder)


def decision_record(settings: Settings) -> Path:
    """Return the file with its access decisions. Raises OperatorError for an environment on AWS."""
    if not settings.embedded_aws:
        raise OperatorError(
            f"Environment {settings.environment} is on AWS, which keeps no record of every access decision: run ./inv demo "
            "and ./inv policies --env local, or ask IAM Access Analyzer about unused access."
        )
    return home() / "log" / "decisions.jsonl"


def port(option: int = 0) -> int | None:
    """Return the port that the operator chose: --port, else EMBEDDED_AWS_PORT, else None. Raises OperatorError."""
    name, value = (
        ("--port", str(option)) if option else ("EMBEDDED_AWS_PORT", os.environ.get("EMBEDDED_AWS_PORT"))
    )
    if value is None:
        return None
    if not value.isdigit() or not 1024 <= int(value) <= 65535:
        raise OperatorError(f"{name} is {value!r}: give a port from 1024 to 65535.")
    return int(value)


def short(path: Path) -> str:
    """Return a path relative to the working directory if it is in this repository."""
    return os.path.relpath(path) if path.is_relative_to(ROOT) else str(path)


def _set_aws_variables(variables: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
