"""Who holds a state lock: the command and process in the lock's `Info`, and whether that process still runs."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import pwd
import shlex
import socket
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ops import processes

Liveness = Literal["running", "ended", "unknown"]

_MACHINE_ID = Path("/etc/machine-id")


class Owner(BaseModel):
    """A command that holds a lock.

    command: command line.
    process, started: process ID, and a text that identifies its start.
    boot, machine: IDs of the boot and of the machine, or "" if they are not known.
    log: file that a Terraform of this command holds an exclusive flock on, as long as it runs.
    """

    model_config = ConfigDict(extra="ignore")

    command: str
    process: int
    started: str
    boot: str
    machine: str
    log: str

    def liveness(self) -> Liveness:
        """Return whether the process runs. Call it for a lock of this user and host only."""
        boot = processes.boot()
        if self.boot == boot:
            return "running" if processes.started(self.process) == self.started else "ended"
        rebooted = self.boot.partition(" ")[0] != boot.partition(" ")[0]
        return "ended" if rebooted and self.machine and self.machine == _machine() else "unknown"

    def terraform_runs(self) -> bool:
        """Return whether a Terraform that this command started still runs. Without its parent, it finishes by itself."""
        with contextlib.suppress(OSError), open(self.log, encoding="utf-8") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def this_process(log: Path) -> Owner:
    """Return this process as owner. log: standard output of its Terraform."""
    return Owner(
        command=shlex.join(sys.argv)[:200],
        process=os.getpid(),
        started=processes.started(os.getpid()),
        boot=processes.boot(),
        machine=_machine(),
        log=str(log),
    )


def parse(info: str) -> Owner | None:
    """Return the owner in a lock's `Info`, or None for another program's lock."""
    try:
        return Owner.model_validate_json(info)
    except ValidationError:
        return None


def user_at_host() -> str:
    """Return `user@host` as Terraform determines it: the user from the password file, else from $USER."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"


def _machine() -> str:
    try:
        return _MACHINE_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
