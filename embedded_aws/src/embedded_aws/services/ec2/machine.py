"""One boot of an EC2 instance or the like: its first process, its console, its metadata service."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
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
from typing import TYPE_CHECKING, Any

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.ec2 import init
from embedded_aws.services.ec2.imds import Assume, MetadataServer, MetadataService
from embedded_aws.services.ec2.user_data import Script

if TYPE_CHECKING:
    from embedded_aws.services.ec2.backend import EmbeddedInstance

log = logging.getLogger(__name__)

INIT = Path(init.__file__)
SHIM = Path(__file__).with_name("shim.sh")
SHIMS = (
    "shutdown",
    "poweroff",
    "halt",
    "reboot",
    "init",
    "telinit",
    "systemctl",
    "service",
    "chkconfig",
    "sudo",
    "doas",
    "logger",
    "apt",
    "apt-get",
    "dpkg",
    "yum",
    "dnf",
    "rpm",
    "amazon-linux-extras",
    "snap",
    "zypper",
    "useradd",
    "userdel",
    "usermod",
    "adduser",
    "groupadd",
    "groupdel",
    "passwd",
    "chpasswd",
    "visudo",
    "mount",
    "umount",
    "swapon",
    "swapoff",
    "mkswap",
    "mkfs",
    "mkfs.ext4",
    "mkfs.xfs",
    "fdisk",
    "parted",
    "modprobe",
    "insmod",
    "rmmod",
    "sysctl",
    "hostnamectl",
    "hostname",
    "timedatectl",
    "iptables",
    "nft",
    "crontab",
)
# Where namespaces are to be had, the instance has its own of these.
FOLDERS = {
    "/home": "home",
    "/root": "root",
    "/tmp": "tmp",
    "/var/tmp": "var-tmp",
    "/var/log": "var-log",
    "/run": "run",
    "/mnt": "mnt",
    "/srv": "srv",
}
# Of the embedded AWS's own environment, what a process needs to reach the network.
PASSED_ON = re.compile(r"(?i)(https?|all)_proxy|(PIP|UV)_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|LANG|LC_\w+|TZ")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONSOLE_BYTES = 64 * 1024  # that GetConsoleOutput returns
CONSOLE_FILE_BYTES = 4 * 1024 * 1024
STOP_SECONDS = init.GRACE_SECONDS + 5
ASK_SECONDS = 0.2


class Console:
    """What an instance has printed, in a file that never grows large."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, data: bytes) -> None:
        with self._lock:
            with self.path.open("ab") as file:
                file.write(data)
                large = file.tell() > CONSOLE_FILE_BYTES
            if large:
                self.path.write_bytes(self.path.read_bytes()[-CONSOLE_BYTES:])

    def tail(self) -> bytes:
        with self._lock:
            return self.path.read_bytes()[-CONSOLE_BYTES:] if self.path.exists() else b""


class Host:
    """A machine's processes, from `boot` until `ended` is called with the first one's exit status.

    name: of the machine, in its processes' environment. hostname: as they see it. folder: kept from boot to boot.
    home: of the embedded AWS, to be hidden from it.
    """

    def __init__(
        self, name: str, hostname: str, folder: Path, supervisor: Supervisor, endpoint_url: str, home: Path
    ) -> None:
        self.name, self.folder, self._home = name, folder, home
        self.console = Console(folder / "console.log")
        self._hostname, self._supervisor, self._endpoint_url = hostname, supervisor, endpoint_url
        self._disk = folder / "disk"
        self._child: subprocess.Popen | None = None
        self._metadata: MetadataService | None = None

    def boot(
        self,
        scripts: list[Script],
        metadata: MetadataService,
        ended: Callable[[int], None],
        environment: Mapping[str, str] = MappingProxyType({}),
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Run `scripts`, one after the other, and stay. Raises OSError if the first process cannot be started.

        metadata: its service, which ends with it. environment: beside what every machine's processes have. files:
        what they find in the folder that EMBEDDED_AWS_RUN names, by path.
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
            [*isolation, *_init(config, self.folder)], env=_inherited(), cwd=self._disk
        )
        threading.Thread(
            target=self._follow, args=(self._child, ended), name=f"machine {self.name}", daemon=True
        ).start()

    def path(self, path: str) -> str:
        """Where its processes find what is at `path`, such as /home/ec2-user, on a machine of its kind."""
        if namespaces(self._supervisor):
            return path
        top = max((folder for folder in FOLDERS if init.inside(path, folder)), key=len)
        return str(self._disk / FOLDERS[top]) + path[len(top) :]

    @property
    def pid(self) -> int:
        """Of the first process, from which all others descend; 0 before there is one."""
        return self._child.pid if self._child is not None else 0

    def end(self) -> None:
        """End every process of it."""
        if self._child is not None:
            self._ask(self._child)
            self._supervisor.end(self._child, 0)
        self.close()

    @staticmethod
    def _ask(child: subprocess.Popen) -> None:
        """SIGTERM to the first process until it has ended: one that is only starting does not hear the first."""
        deadline = time.monotonic() + STOP_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(child.pid, signal.SIGTERM)
                child.wait(ASK_SECONDS)

    def close(self) -> None:
        """Let go of what serves the processes, once they have ended."""
        if self._metadata is not None:
            self._metadata.close()
            self._metadata = None

    def received(self, data: bytes) -> None:
        """Take what its processes have printed: onto the console."""
        self.console.add(data)

    def _prepare(self, scripts: list[Script], files: Mapping[str, bytes]) -> list[str]:
        """The folders and files that the processes find. Returns the scripts' paths below `run`."""
        _make_disk(self._disk)
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
            **_inherited(),
            "HOME": home,
            "TMPDIR": "/tmp" if isolated else str(self._disk / "tmp"),
            "PATH": f"{run}/shims:{Path(sys.executable).parent}:{SYSTEM_PATH}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{self._metadata.address}",
            "HOSTNAME": self._hostname,
            "EMBEDDED_AWS_HOMES": "/home" if isolated else str(self._disk / "home"),
            "EMBEDDED_AWS_RUN": str(run),
            init.MARKER: self.name,
        }

    def _banner(self, isolated: bool) -> str:
        how = (
            "in namespaces of its own, with its own /home, /root, /tmp, /var/log and /run, all else read-only"
            if isolated
            else "without namespaces, which this system does not offer: it sees this machine's files"
        )
        return f"[embedded AWS] {self.name} boots {how}.\n"

    def _follow(self, child: subprocess.Popen, ended: Callable[[int], None]) -> None:
        reader = threading.Thread(target=self._read, args=(child,), daemon=True)
        reader.start()
        status = child.wait()
        reader.join(2)  # a process that got away could hold the pipe
        ended(status)

    def _read(self, child: subprocess.Popen) -> None:
        assert child.stdout is not None
        with child.stdout as pipe:
            while data := os.read(pipe.fileno(), 65536):
                self.received(data)


class Machine(Host):
    """A boot of an EC2 instance."""

    def __init__(
        self, instance: EmbeddedInstance, folder: Path, supervisor: Supervisor, endpoint_url: str, home: Path
    ) -> None:
        super().__init__(instance.id, instance.private_dns_name, folder, supervisor, endpoint_url, home)
        self.instance = instance

    def start(self, scripts: list[Script], assume: Assume, ended: Callable[[Machine, int], None]) -> None:
        """Boot. Raises OSError if the first process cannot be started."""
        self.boot(scripts, MetadataServer(self.instance, assume), lambda status: ended(self, status))


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}


def _make_disk(disk: Path) -> None:
    for name in (*FOLDERS.values(), "home/ec2-user", "empty"):
        (disk / name).mkdir(parents=True, exist_ok=True)
    run = disk / "run"
    shutil.rmtree(run)  # of the boot before: /run does not outlive it
    shims = run / "shims"
    shims.mkdir(parents=True)
    for name in SHIMS:
        shutil.copy(SHIM, shims / name)
    for name in ("initctl", "console"):
        os.mkfifo(run / name)


def _config(disk: Path, home: Path, isolated: bool) -> dict[str, Any]:
    """What `init.py` is told of the file system."""
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
    """The command of the first process, told in a file: anybody may read a command line, and secrets are in this."""
    told = folder / "init.json"
    told.unlink(missing_ok=True)  # of a process that was killed before it read it
    told.touch(0o600, exist_ok=False)
    told.write_text(json.dumps(config))
    return [sys.executable, "-S", "-E", str(INIT), str(told)]


@functools.lru_cache(maxsize=1)
def namespaces(supervisor: Supervisor) -> tuple[str, ...]:
    """The command that puts an instance into namespaces of its own; empty where the system does not allow it."""
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
        _make_disk(disk)
        home = Path(scratch, "home")
        home.mkdir()
        config = _config(disk, home, True) | {"probe": True}
        probe = supervisor.spawn([*command, *_init(config, Path(scratch))], env={}, cwd=disk)
        output = probe.communicate()[0]
    if probe.returncode:
        log.info("instances run without namespaces: %s", output.decode(errors="replace").strip()[-500:])
        return ()
    return command
