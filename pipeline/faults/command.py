"""A command of `./inv` in a session of its own, whose signals and terminal are real."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.faults import processes
from pipeline.faults.terminal import Terminal

SECONDS = 600.0
"""Limit of a command that nothing ends."""
_POLL = 0.02
_ON_TERMINAL = 'terminal=$1; shift; exec "$@" <"$terminal" >"$terminal" 2>&1'
_SMALL_FILES = 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"'
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Command:
    """A running or finished command.

    words: what a user types after `./inv`.
    work: its work folder, in the environment of all its processes.
    output: file with its standard error (on a terminal: all its output).
    """

    def __init__(
        self,
        words: tuple[str, ...],
        folder: Path,
        environment: dict[str, str],
        output: Path,
        *,
        terminal: bool = False,
        file_blocks: int = 0,
    ) -> None:
        """Start it.

        folder: the checkout.
        terminal: give it a terminal of its own.
        file_blocks: the largest file that it can write, in blocks of 512 bytes, as on a full disk; 0 for no limit.
        """
        self.words, self.output = words, output
        self.work = Path(environment["INV_WORK"])
        self._terminal = Terminal(output) if terminal else None
        line = ["./inv", *words]
        if file_blocks:
            line = ["sh", "-c", _SMALL_FILES, "sh", str(file_blocks), *line]
        if self._terminal:
            # The first terminal that the leader of a session opens becomes its controlling terminal.
            line = ["sh", "-c", _ON_TERMINAL, "sh", self._terminal.name, *line]
        with output.open("ab") as log, output.with_suffix(".json").open("wb") as result:
            # By the clock of files, which is coarser than the system's.
            self._began = os.fstat(result.fileno()).st_mtime_ns
            self._process = subprocess.Popen(
                line,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=log,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, seconds: float = SECONDS) -> int:
        """Wait until it ends and return its exit status; end it after `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            with self.output.open("a", encoding="utf-8") as log:
                log.write(f"\ninv: it did not end within {seconds:.0f} s\n")
        self.close_terminal()
        return self._process.returncode

    def wait_until(self, condition: Callable[[], bool], seconds: float = SECONDS) -> bool:
        """Wait until a condition is met or the command ends. Return whether it was met."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            if self.ended:
                return False
            time.sleep(_POLL)
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command's own process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def type(self, key: bytes) -> None:
        """Type a key on its terminal."""
        if self._terminal is not None:
            self._terminal.type(key)

    def close_terminal(self) -> None:
        """Close its terminal, as a closed window does: the kernel sends SIGHUP, later writes fail."""
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    def end(self) -> None:
        """Kill it with everything that it started."""
        processes.end_all(self.work)
        self._process.wait()
        self.close_terminal()

    @property
    def title(self) -> str:
        """The command as a user types it."""
        return f"./inv {' '.join(self.words)}"

    @property
    def text(self) -> str:
        """What it printed for people."""
        return _ESCAPES.sub("", self.output.read_text(errors="replace", encoding="utf-8"))

    @property
    def message(self) -> str:
        """Its last sentence: of an error, else the last line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        errors = [line.removeprefix("inv: ") for line in lines if line.startswith("inv: ")]
        return errors[-1] if errors else (lines[-1] if lines else "")

    def line(self, text: str) -> str:
        """Return the first printed line with a text; of a table, its cells."""
        found = next((line for line in self.text.splitlines() if text in line), "")
        return ", ".join(cell for part in found.split("│") if (cell := " ".join(part.split())))

    @property
    def json(self) -> Any:
        """Its result on standard output; None without one."""
        text = self.output.with_suffix(".json").read_text(encoding="utf-8").strip()
        return json.loads(text) if text else None

    def terraform_steps(self) -> int:
        """Return how many changes Terraform has begun for this command."""
        logs = [log for log in self.work.rglob("run.jsonl") if log.stat().st_mtime_ns >= self._began]
        return sum(line.count('"apply_start"') for log in logs for line in _lines(log))


def _lines(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
