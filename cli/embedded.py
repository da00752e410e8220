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
_SESSION = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


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
    """Point this process at it, as root; or as the role whose session the shell's variables already hold.

    Nothing else of the shell's AWS_* variables stays, and no file of ~/.aws is read.
    """
    variables = client.variables(home(), region)
    same = os.environ.get("AWS_ENDPOINT_URL") == variables["AWS_ENDPOINT_URL"]
    if same and "AWS_SESSION_TOKEN" in os.environ:
        variables |= {name: os.environ[name] for name in _SESSION if name in os.environ}
    _replace_variables(variables)


@contextlib.contextmanager
def scratch_account(settings: Settings, folder: Path, step: Step) -> Iterator[Environment]:
    """Yield an environment in an empty embedded AWS of its own, and point this process at it.

    folder: for its state; an existing one is removed.
    """
    from ops.environment import Environment

    client.destroy(folder)  # left by a run that was killed
    before = dict(os.environ)
    try:
        step("starting an embedded AWS to plan on")
        client.start(folder)
        _replace_variables(client.variables(folder, settings.region))
        yield Environment(settings)
    finally:
        os.environ.clear()
        os.environ.update(before)
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


def isolate() -> None:
    """Let this process's SDKs use nothing of the shell and of ~/.aws; the caller gives them keys and endpoint URLs."""
    _replace_variables(client.isolation())


def _replace_variables(variables: dict[str, str]) -> None:
    """Replace this process's variables of AWS's SDKs by those that point at an embedded AWS."""
    for name in client.conflicting(os.environ):
        del os.environ[name]
    os.environ.update(variables)
