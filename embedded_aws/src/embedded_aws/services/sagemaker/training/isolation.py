"""Network isolation of a job: one network namespace for all instances, if the system supports it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_aws.processes.supervisor import Supervisor

SCRIPT = [sys.executable, "-S", "-E", str(Path(__file__).with_name("namespace.py"))]


class NotSupported(Exception):
    """This system does not let users create network namespaces. The message gives the reason."""


class Namespace:
    """A network with loopback addresses only, shared by the processes of one job."""

    def __init__(self, holder: int) -> None:
        """holder: PID of the process that owns the namespace."""
        self._holder = holder

    def command(self, command: list[str]) -> list[str]:
        """Return the command line that runs `command` in the namespace."""
        return [*SCRIPT, "enter", str(self._holder), *command]


@contextmanager
def namespace(supervisor: Supervisor, folder: Path) -> Iterator[Namespace]:
    """Create a namespace for the duration of the block. Raises NotSupported."""
    holder = supervisor.spawn([*SCRIPT, "hold"], env={}, cwd=folder, stdin=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdin is not None
    with holder.stdout, holder.stdin:
        try:
            line = holder.stdout.readline().decode(errors="replace").strip()
            if line != "ready":
                raise NotSupported(line or "no namespace was created")
            yield Namespace(holder.pid)
        finally:
            supervisor.end(holder, grace=0)
