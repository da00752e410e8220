"""A JupyterLab with the credentials of a role: one notebook instance or Studio application."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import secrets
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2.host import Host
from embedded_aws.services.ec2.imds import Assume, MetadataService, Tree
from embedded_aws.services.ec2.user_data import Script
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.workbench import boot

log = logging.getLogger(__name__)

SCRIPT_SECONDS = 300.0  # time limit of a lifecycle script
START_SECONDS = 120.0  # time limit of JupyterLab's start, after the scripts
POLL_SECONDS = 0.2
ANSWER_SECONDS = 5.0  # time limit of a request to JupyterLab
SETTINGS = "labconfig/default_setting_overrides.json"
# JupyterLab would ask every user whether to fetch news.
OVERRIDES = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """A lifecycle script."""

    stream: str
    """Log stream."""

    content: str
    """The script in base64, as in the lifecycle configuration."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The configuration of a JupyterLab."""

    name: str
    """Name of the machine."""

    folder: Path
    """Folder of the machine's files."""

    home: str
    """Home folder of the user."""

    kept: str
    """Folder that is kept when the machine stops. JupyterLab shows it."""

    scripts_home: str
    """Home folder of the lifecycle scripts."""

    role_arn: str
    region: str
    scripts: tuple[Lifecycle, ...]
    stream: str
    """Log stream of JupyterLab."""


class NotStarted(Exception):
    """JupyterLab did not start."""

    def __init__(self, message: str, script: str = "", status: int | None = 0) -> None:
        """script: log stream of the lifecycle script that failed. status: its exit status; None after a timeout."""
        super().__init__(message)
        self.script, self.status = script, status


class RoleMetadata(MetadataService):
    """The metadata service of the machine. It is the only source of the role's credentials."""

    def __init__(self, plan: Plan, assume: Assume) -> None:
        self._plan = plan
        super().__init__(plan.name, assume)

    def tree(self) -> Tree:
        arn = self._plan.role_arn
        name = arn.rpartition("/")[2]
        return {
            "meta-data": {
                "iam": {"security-credentials": {name: lambda: self.credentials(arn)}},
                "placement": {"region": self._plan.region},
            }
        }


class Lab(Host):
    """One run of a JupyterLab, from `start` to `end`."""

    def __init__(self, plan: Plan, runtime: Runtime, write_log: Callable[[str, str], None]) -> None:
        """write_log: called with a log stream and a line."""
        super().__init__(
            plan.name, "localhost", plan.folder, runtime.supervisor, runtime.endpoint_url, runtime.home
        )
        self.plan, self.over = plan, threading.Event()
        self.started = datetime.now(timezone.utc)
        self._runtime, self._write_log = runtime, write_log
        self._port, self._token = _free_port(), secrets.token_hex(24)
        self._rest = b""  # beginning of an unfinished line
        self._waiting = {script.stream for script in plan.scripts}
        self._scripts_ended = threading.Event()
        self._failure: NotStarted | None = None
        self._booting = threading.Lock()

    @property
    def url(self) -> str:
        """The URL for a browser, token included."""
        return f"{self._address}/lab?token={self._token}"

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self, ended: Callable[[Lab], None]) -> None:
        """Start the machine and wait until JupyterLab answers. Raises NotStarted, OSError.

        ended: called when the main process has ended, for whatever reason.
        """
        with self._booting:
            if self.over.is_set() or self._runtime.stopping.is_set():
                raise NotStarted("It was ended before it started.")
            _keep_only(self.folder / "disk", self.plan.kept)
            environment = {
                "AWS_REGION": self.plan.region,
                "AWS_DEFAULT_REGION": self.plan.region,
                "HOME": self.path(self.plan.scripts_home),
                "JUPYTER_SERVER_URL": f"{self._address}/",
                "JUPYTER_TOKEN": self._token,
            }
            self.boot(
                [Script(Path(boot.__file__).read_bytes())],
                RoleMetadata(self.plan, self._assume),
                lambda status: self._has_ended(ended),
                environment,
                self._files(),
            )
        if not self._waiting:
            self._scripts_ended.set()
        self._scripts_ended.wait()
        self._wait_for_answer()

    def end(self) -> None:
        """End every process of the machine."""
        self.over.set()
        self._scripts_ended.set()
        with self._booting:
            super().end()

    def last_use(self) -> datetime:
        """Return when a kernel or terminal was last used; the current time while a kernel is busy.

        Raises OSError if JupyterLab does not answer.
        """
        kernels, terminals = self._get("/api/kernels"), self._get("/api/terminals")
        if any(kernel["execution_state"] == "busy" for kernel in kernels):
            return datetime.now(timezone.utc)
        seen = [item["last_activity"] for item in [*kernels, *terminals] if item.get("last_activity")]
        return max(
            [self.started, *(datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in seen)]
        )

    def received(self, data: bytes) -> None:
        """Handle output of `boot`. Other output goes to the console log."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line) if line.startswith(b"{") else None
            except ValueError:
                event = None
            if isinstance(event, dict) and "stream" in event:
                self._write_log(event["stream"], event["line"])
            elif isinstance(event, dict) and "script" in event:
                self._script_ended(event["script"], event["status"])
            else:
                super().received(line + b"\n")

    def _script_ended(self, stream: str, status: int | None) -> None:
        self._waiting.discard(stream)
        if status != 0:
            self._failure = NotStarted(f"{stream} ended with {status}", stream, status)
        if self._failure or not self._waiting:
            self._scripts_ended.set()

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._failure and not self.over.is_set() and time.monotonic() < deadline:
            try:
                self._get("/api/status")
                return
            except OSError:
                self.over.wait(POLL_SECONDS)
        raise self._failure or NotStarted("JupyterLab does not answer.")

    def _has_ended(self, ended: Callable[[Lab], None]) -> None:
        self.over.set()
        self._scripts_ended.set()
        ended(self)

    def _get(self, path: str) -> Any:
        """Return JupyterLab's answer. Raises OSError."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path, headers={"Authorization": f"token {self._token}"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise OSError(f"{path}: HTTP status {answer.status}")
            return json.loads(body)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"{path}: {error}") from error
        finally:
            connection.close()

    def _assume(self, role_arn: str) -> dict[str, str]:
        return roles.assume(self._runtime, role_arn, self.plan.region)

    def _files(self) -> dict[str, bytes]:
        """Return the files that `boot` reads."""
        kept = self.path(self.plan.kept)
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={self._port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={kept}",
            # No requests to other machines: no news, no updates, no extension catalog.
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
        ]
        scripts = {f"lifecycle-{number}": script for number, script in enumerate(self.plan.scripts, 1)}
        config = {
            "scripts": [{"file": file, "stream": script.stream} for file, script in scripts.items()],
            "limit": SCRIPT_SECONDS,
            "directory": self.path(self.plan.scripts_home),
            "jupyter": {
                "command": command,
                "directory": kept,
                "environment": {
                    "HOME": self.path(self.plan.home),
                    "SHELL": "/bin/bash",
                    "JUPYTER_CONFIG_PATH": self.path("/run"),
                },
                "stream": self.plan.stream,
            },
        }
        return {"boot.json": json.dumps(config).encode(), SETTINGS: json.dumps(OVERRIDES).encode()} | {
            file: base64.b64decode(script.content) for file, script in scripts.items()
        }


def _keep_only(disk: Path, kept: str) -> None:
    """Empty the disk, except one folder below /home."""
    folder = disk / kept.lstrip("/")
    saved = disk.with_name("kept")
    if folder.exists() and not saved.exists():  # saved exists if a start was killed at this point
        folder.rename(saved)
    shutil.rmtree(disk, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if saved.exists():
        saved.rename(folder)
    folder.mkdir(exist_ok=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
