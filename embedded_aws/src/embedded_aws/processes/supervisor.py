"""Starts and ends child processes. None outlives the embedded AWS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from embedded_aws import child_environment


class Supervisor:
    """Starts each child in its own process group and ends whole groups.

    A guardian process knows every group and kills those that are left if this process dies.
    """

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[Any]] = {}
        self._lock = threading.Lock()
        self._guardian: subprocess.Popen[Any] | None = None

    def spawn(
        self,
        command: list[str],
        *,
        env: dict[str, str],
        cwd: Path,
        stdout: int | IO[Any] | None = subprocess.PIPE,
        stderr: int | IO[Any] | None = subprocess.STDOUT,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        pass_fds: tuple[int, ...] = (),
    ) -> subprocess.Popen[Any]:
        """Start `command` in a new session and process group. Pipes are binary."""
        with self._lock:
            child = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                start_new_session=True,
            )
            self._notify_guardian(f"+{child.pid}")
            ended = [p for p, c in self._children.items() if c.poll() is not None and not _group_exists(p)]
            for pid in ended:
                del self._children[pid]
                self._notify_guardian(f"-{pid}")
            self._children[child.pid] = child
        return child

    def end(self, child: subprocess.Popen[Any], grace: float = 5.0) -> int:
        """End a child's whole group: SIGTERM, `grace` seconds to comply, SIGKILL. Returns its exit status."""
        _signal_group(child.pid, signal.SIGTERM)
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            _signal_group(child.pid, signal.SIGKILL)
        _signal_group(child.pid, signal.SIGKILL)  # members that ignored SIGTERM
        status = child.wait()
        with self._lock:
            if self._children.pop(child.pid, None) is not None:
                self._notify_guardian(f"-{child.pid}")
        return status

    def end_all(self, grace: float = 3.0) -> None:
        """End every running group, all at the same time."""
        with self._lock:
            children = list(self._children.values())
        for child in children:
            _signal_group(child.pid, signal.SIGTERM)
        for child in children:
            self.end(child, grace)

    def count(self) -> int:
        """Return the number of running children."""
        with self._lock:
            return sum(child.poll() is None for child in self._children.values())

    def _notify_guardian(self, line: str) -> None:
        if self._guardian is None or self._guardian.poll() is not None:
            # Start the first guardian, or replace a killed one: list every group again.
            self._guardian = subprocess.Popen(
                [sys.executable, "-S", "-E", str(Path(__file__).with_name("guardian.py"))],
                env=child_environment.of_program(),
                stdin=subprocess.PIPE,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
            line = "".join(f"+{pid}\n" for pid in self._children if _group_exists(pid)) + line
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(line + "\n")
        self._guardian.stdin.flush()


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # the group is gone
