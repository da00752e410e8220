"""A host: the processes of an EC2 instance or of a notebook, their console and their metadata service."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from embedded_aws import child_environment
from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.ec2 import init
from embedded_aws.services.ec2.console import Console
from embedded_aws.services.ec2.disk import FOLDERS, make_disk
from embedded_aws.services.ec2.imds import MetadataService
from embedded_aws.services.ec2.user_data import Script

log = logging.getLogger(__name__)

INIT = Path(init.__file__)
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
        isolation = namespaces(self._supervisor)
        paths = self._prepare(scripts, files)
        run = Path("/run") if isolation else self._disk / "run"
        config = _config(self._disk, self._home, bool(isolation)) | {
            "id": self.name,
            "scripts": [str(run / path) for path in paths],
            "environment": self._environment(run, bool(isolation)) | dict(environment),
        }
        self.console.add(self._banner(bool(isolation)).encode())
        self._child = self._supervisor.spawn(
            [*isolation, *_init(config, self.folder)], env=child_environment.of_host(), cwd=self._disk
        )
        threading.Thread(
            target=self._follow, args=(self._child, ended), name=f"host {self.name}", daemon=True
        ).start()

    def path(self, path: str) -> str:
        """Return the path at which the host's processes find a path of AWS, such as /home/ec2-user."""
        if namespaces(self._supervisor):
            return path
        top = max((folder for folder in FOLDERS if init.inside(path, folder)), key=len)
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


def _config(disk: Path, home: Path, isolated: bool) -> dict[str, Any]:
    """Return the file system part of the configuration of `init.py`."""
    keep = {str(Path(path)) for path in (sys.prefix, sys.base_prefix)}
    resolver = Path("/etc/resolv.conf").resolve()
    if resolver.exists():
        keep.add(str(resolver))
    return {
        "namespace": isolated,
        "folders": {path: str(disk / name) for path, name in FOLDERS.items()},
        "keep": sorted(keep),
        "hide": str(home),
        "empty": str(disk / "empty"),
        "shims": str(disk / "run/shims"),
        "console": str(disk / "run/console"),
        "run": "/run" if isolated else str(disk / "run"),
        "cwd": "/" if isolated else str(disk / "root"),
    }


def _init(config: dict[str, Any], folder: Path) -> list[str]:
    """Return the command of the first process.

    The configuration is in a file: it has secrets, and every user can read a command line.
    """
    file = folder / "init.json"
    file.unlink(missing_ok=True)  # left by a process that was killed before it read it
    file.touch(0o600, exist_ok=False)
    file.write_text(json.dumps(config), encoding="utf-8")
    return [sys.executable, "-S", "-E", str(INIT), str(file)]


@functools.lru_cache(maxsize=1)
def namespaces(supervisor: Supervisor) -> tuple[str, ...]:
    """Return the command that starts a host in new namespaces; empty if the system does not allow it."""
    unshare = shutil.which("unshare")
    if unshare is None or not sys.platform.startswith("linux"):
        return ()
    command = (
        unshare,
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    )
    with tempfile.TemporaryDirectory() as scratch:
        disk = Path(scratch, "disk")
        make_disk(disk)
        home = Path(scratch, "home")
        home.mkdir()
        config = _config(disk, home, True) | {"probe": True}
        probe = supervisor.spawn([*command, *_init(config, Path(scratch))], env={}, cwd=disk)
        output = probe.communicate()[0]
    if probe.returncode:
        log.info("hosts run without namespaces: %s", output.decode(errors="replace").strip()[-500:])
        return ()
    return command
