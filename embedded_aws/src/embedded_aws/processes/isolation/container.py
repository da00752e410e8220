"""What a program sees of this machine: a command line for `enter.py`, and whether this system supports it."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import embedded_aws
from embedded_aws.processes.isolation import enter, packages
from embedded_aws.processes.supervisor import Supervisor

log = logging.getLogger(__name__)

# Imported, not run as a script: a script is compiled each time.
CODE = f"import sys; sys.path.insert(0, {str(Path(enter.__file__).parent)!r}); import enter; enter.main()"
ENTER = (sys.executable, "-S", "-E", "-c", CODE)


@dataclass(frozen=True, kw_only=True)
class Container:
    """The namespaces of a program. Paths on the left are those that the program sees."""

    own: Mapping[str, Path] = field(default_factory=dict)
    """Folders that it can write to."""

    read_only: Mapping[str, Path] = field(default_factory=dict)
    """Folders and files that it can read."""

    memory: Mapping[str, int] = field(default_factory=dict)
    """Empty folders in memory, with their size in bytes."""

    hidden: tuple[Path, ...] = ()
    """Folders of this machine that it sees empty."""

    directory: str = "/"
    """Working directory."""

    report: str = ""
    """File, as the program sees it, that gets the reason if the program cannot be started."""

    network: int | None = None
    """Process whose network it shares; None for this machine's."""

    options: tuple[str, ...] = ()
    """Further options of `enter.py`."""

    def command(self, command: list[str]) -> list[str]:
        """Return the command line that runs `command` in the namespaces."""
        options = [*self.options, "--directory", self.directory]
        for name, folders in (("--own", self.own), ("--read-only", self.read_only)):
            for path, folder in folders.items():
                options += [name, path, str(folder)]
        for path, size in self.memory.items():
            options += ["--memory", path, str(size)]
        for path in self.hidden:
            options += ["--hide", str(path)]
        for path in kept():
            options += ["--keep", path]
        if self.report:
            options += ["--report", self.report]
        if self.network is not None:
            options += ["--network", str(self.network)]
        return [*ENTER, *options, "--", *command]


def kept() -> list[str]:
    """Return what every program needs: Python, its packages, this package, pip's configuration, the name servers."""
    paths = {Path(sys.prefix), Path(sys.base_prefix), Path(embedded_aws.__file__).parents[1]}
    paths |= {Path("/etc/resolv.conf").resolve(), packages.pip_configuration() or Path(sys.prefix)}
    return sorted(str(path) for path in paths if path.exists())


@functools.lru_cache(maxsize=8)
def refusal(supervisor: Supervisor, *options: str) -> str:
    """Return why this system cannot start a container with these options of `enter.py`; empty if it can."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no namespaces"
    with tempfile.TemporaryDirectory() as scratch:
        own = {path: Path(scratch) for path in ("/opt/ml", "/home", "/root")}
        trial = Container(own=own, memory={"/tmp": 2**20}, options=options)
        probe = supervisor.spawn(trial.command(["/bin/sh", "-c", "exit 0"]), env={}, cwd=Path("/"))
        output = probe.communicate()[0].decode(errors="replace").strip()
    if probe.returncode:
        log.info("no namespaces %s: %s", " ".join(options), output[-500:])
    return (output[-500:] or f"exit status {probe.returncode}") if probe.returncode else ""


class Network:
    """A network with loopback addresses only, for containers that share it. A context manager."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._holder: subprocess.Popen[bytes] | None = None

    @property
    def holder(self) -> int:
        """Process whose network the containers share."""
        assert self._holder is not None
        return self._holder.pid

    def __enter__(self) -> Network:
        """Create the network. Raises NotSupported."""
        hold = ["/bin/sh", "-c", "echo ready; read -r line"]  # until its standard input closes
        self._holder = holder = self._supervisor.spawn(
            Container(options=("--isolated",)).command(hold), env={}, cwd=Path("/"), stdin=subprocess.PIPE
        )
        assert holder.stdout is not None
        line = holder.stdout.readline().decode(errors="replace").strip()
        if line != "ready":
            self.__exit__()
            raise NotSupported(line or "no network was created")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._holder is not None and self._holder.stdin is not None and self._holder.stdout is not None
        self._supervisor.end(self._holder, grace=0)
        self._holder.stdin.close()
        self._holder.stdout.close()


class NotSupported(Exception):
    """This system does not support it. The message has the reason."""
