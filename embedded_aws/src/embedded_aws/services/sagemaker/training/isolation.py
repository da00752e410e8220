"""Network isolation of a job: one network namespace for all its instances, where the system offers them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_aws.processes.supervisor import Supervisor

SCRIPT = [sys.executable, "-S", "-E", str(Path(__file__).with_name("namespace.py"))]


class NotOffered(Exception):
    """This system gives its users no network namespaces; says why."""


class Namespace:
    """A network of loopback addresses only, that the processes of one job share."""

    def __init__(self, holder: int) -> None:
        """holder: the process that keeps the namespace."""
        self._holder = holder

    def command(self, command: list[str]) -> list[str]:
        """The command line that runs `command` in the namespace."""
        return [*SCRIPT, "enter", str(self._holder), *command]


@contextmanager
def namespace(supervisor: Supervisor, folder: Path) -> Iterator[Namespace]:
    """Keep a namespace while the block runs. Raises NotOffered."""
    holder = supervisor.spawn([*SCRIPT, "hold"], env={}, cwd=folder, stdin=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdin is not None
    with holder.stdout, holder.stdin:
        try:
            said = holder.stdout.readline().decode(errors="replace").strip()
            if said != "ready":
                raise NotOffered(said or "no namespace was made")
            yield Namespace(holder.pid)
        finally:
            supervisor.end(holder, grace=0)
