"""A host: the processes of an EC2 instance or of a notebook, their console and their metadata service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from embedded_aws import child_environment
from embedded_aws.processes.isolation.container import Container, refusal
from embedded_aws.processes.isolation.enter import inside
from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.ec2 import init
from embedded_aws.services.ec2.console import Console
from embedded_aws.services.ec2.disk import FOLDERS, make_disk
from embedded_aws.services.ec2.imds import MetadataService
from embedded_aws.services.ec2.user_data import Script

INIT = Path(init.__file__)
OPTIONS = ("--processes", "--root")
COMMAND_FOLDERS = ("/sbin", "/usr/sbin", "/bin", "/usr/bin")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STOP_SECONDS = init.GRACE_SECONDS + 5
SIGNAL_SECONDS = 0.2


class Host:
    """A host's processes, from `boot` until the first one ends."""

    def __init__(
        self, name: str, hostname: str, folder: Path, supervisor: Supervisor, endpoint_url: str, home: Path
    ) -> None:
        """name: marks the host's processes in their environment. folder: keeps its files from boot to boot.

        home: folder of the embedded AWS, hidden from the host.
        """
        self.name, self.folder, self._home = name, folder, home
        self.console = Console(folder / "console.log")
        self._hostname, self._supervisor, self._endpoint_url = hostname, supervisor, endpoint_url
        self._disk = folder / "disk"
        self._child: subprocess.Popen[bytes] | None = None
        self._metadata: MetadataService | None = None

    def boot(
        self,
        scripts: list[Script],
        metadata: MetadataService,
        ended: Callable[[int], None],
        environment: Mapping[str, str] = MappingProxyType({}),
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Start the first process, which runs `scripts` one after the other and keeps running.

        metadata: closed when the host ends. ended: called with the exit status of the first process.
        environment: additional variables. files: by path in the folder that EMBEDDED_AWS_RUN names.
        Raises OSError if the first process cannot be started.
        """
        self._metadata = metadata
        isolated = not refusal(self._supervisor, *OPTIONS)
        paths = self._prepare(scripts, files)
        run = Path("/run") if isolated else self._disk / "run"
        config = {
            "id": self.name,
            "namespace": isolated,
            "run": str(run),
            "cwd": "/" if isolated else str(self._disk / "root"),
            "scripts": [str(run / path) for path in paths],
            "environment": self._environment(run, isolated) | dict(environment),
        }
        command = [sys.executable, "-S", "-E", str(INIT), str(run / self._save(config))]
        self.console.add(self._banner(isolated).encode())
        self._child = self._supervisor.spawn(
            _container(self._disk, self._home).command(command) if isolated else command,
            env=child_environment.of_host(),
            cwd=self._disk,
        )
        threading.Thread(
            target=self._follow, args=(self._child, ended), name=f"host {self.name}", daemon=True
        ).start()

    def path(self, path: str) -> str:
        """Return the path at which the host's processes find a path of AWS, such as /home/ec2-user."""
        if not refusal(self._supervisor, *OPTIONS):
            return path
        top = max((folder for folder in FOLDERS if inside(path, folder)), key=len)
        return str(self._disk / FOLDERS[top]) + path[len(top) :]

    @property
    def pid(self) -> int:
        """ID of the first process, from which all others descend; 0 before `boot`."""
        return self._child.pid if self._child is not None else 0

    def end(self) -> None:
        """End every process of the host."""
        if self._child is not None:
            self._terminate(self._child)
            self._supervisor.end(self._child, 0)
        self.close()

    @staticmethod
    def _terminate(child: subprocess.Popen[bytes]) -> None:
        """Send SIGTERM until the first process has ended: while it starts, it does not handle the signal yet."""
        deadline = time.monotonic() + STOP_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(child.pid, signal.SIGTERM)
                child.wait(SIGNAL_SECONDS)

    def close(self) -> None:
        """Close the metadata service, once the processes have ended."""
        if self._metadata is not None:
            self._metadata.close()
            self._metadata = None

    def received(self, data: bytes) -> None:
        """Handle what the processes have printed: add it to the console."""
        self.console.add(data)

    def _prepare(self, scripts: list[Script], files: Mapping[str, bytes]) -> list[str]:
        """Create the folders and files of the processes. Returns the scripts' paths below `run`."""
        make_disk(self._disk)
        run = self._disk / "run"
        for name, content in files.items():
            (run / name).parent.mkdir(exist_ok=True)
            (run / name).touch(0o700)
            (run / name).write_bytes(content)
        (run / "scripts").mkdir(exist_ok=True)
        paths = []
        for number, script in enumerate(scripts, 1):
            path = f"scripts/part-{number:03d}"
            (run / path).write_bytes(script.content)
            (run / path).chmod(0o700)
            paths.append(path)
        return paths

    def _save(self, config: dict[str, Any]) -> str:
        """Save the configuration of the first process. Returns its path below `run`.

        It is in a file: it has secrets, and every user can read a command line.
        """
        file = self._disk / "run/init.json"
        file.touch(0o600, exist_ok=False)
        file.write_text(json.dumps(config), encoding="utf-8")
        return file.name

    def _environment(self, run: Path, isolated: bool) -> dict[str, str]:
        home = "/root" if isolated else str(self._disk / "root")
        assert self._metadata is not None
        return {
            **child_environment.of_host(),
            "HOME": home,
            "TMPDIR": "/tmp" if isolated else str(self._disk / "tmp"),
            "PATH": f"{run}/shims:{Path(sys.executable).parent}:{SYSTEM_PATH}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{self._metadata.address}",
            "HOSTNAME": self._hostname,
            "EMBEDDED_AWS_HOMES": "/home" if isolated else str(self._disk / "home"),
            "EMBEDDED_AWS_RUN": str(run),
            init.MARKER: self.name,
        }

    def _banner(self, isolated: bool) -> str:
        how = (
            "in namespaces, with its own /home, /root, /tmp, /var/log and /run; other folders are read-only"
            if isolated
            else "without namespaces, since this system does not allow them: it can see this machine's files"
        )
        return f"[embedded AWS] {self.name} boots {how}.\n"

    def _follow(self, child: subprocess.Popen[bytes], ended: Callable[[int], None]) -> None:
        reader = threading.Thread(target=self._read, args=(child,), daemon=True)
        reader.start()
        status = child.wait()
        reader.join(2)  # a process that is still running could keep the pipe open
        ended(status)

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        with child.stdout as pipe:
            while data := os.read(pipe.fileno(), 65536):
                self.received(data)


def _container(disk: Path, home: Path) -> Container:
    """Return the namespaces of a host: its own folders, and the shims over this machine's commands."""
    own = {path: disk / name for path, name in FOLDERS.items() if os.path.isdir(path)}
    if os.path.exists("/dev/console"):
        own["/dev/console"] = disk / "run/console"
    return Container(own=own, read_only=_shims(disk / "run/shims"), hidden=(home,), options=OPTIONS)


def _shims(folder: Path) -> dict[str, Path]:
    """Return the shim of each command of this machine that has one, by the command's path."""
    commands = {}
    for place in COMMAND_FOLDERS:
        for shim in folder.iterdir():
            real = os.path.realpath(os.path.join(place, shim.name))
            own = folder / os.path.basename(real)
            if os.path.isfile(real) and own.exists():
                commands[real] = own
    return commands
