"""python-terraform that starts Terraform in a session of its own.

A terminal sends its signals, as of Ctrl-C or of its end, to the processes of its session. Two interrupts make Terraform
end without waiting for what it creates; a hang-up ends it at once. So the terminal's signals do not reach it: the
command that waits for it forwards one interrupt.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import python_terraform

from ops import child_environment
from ops.terraform import binary


class Client(python_terraform.Terraform):  # type: ignore[misc]  # python-terraform has no types
    """Terraform commands in one folder.

    process: the process that runs or ran last.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        on_start: Callable[[int], None] = lambda process_id: None,
    ) -> None:
        """variables: environment variables in addition to those that Terraform gets of the shell's. on_start: called with each process's ID."""
        self.process: subprocess.Popen[str] | None = None
        self._variables, self._on_start = variables, on_start
        self._interrupted = self._forwarded = False
        super().__init__(working_dir=str(folder), terraform_bin_path=binary.find())

    def cmd(
        self, cmd: str, *arguments: str, output: IO[str] | None = None, **options: Any
    ) -> tuple[int, str, str]:
        """Run a command. Returns its exit code, negative if a signal ended it, its standard output and error.

        output: file for both; they are returned empty then.
        """
        self.process = subprocess.Popen(
            self.generate_cmd_string(cmd, *arguments, **options),
            cwd=self.working_dir,
            env=child_environment.build("terraform", self._variables),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._on_start(self.process.pid)
        self._forward()
        out, error = self.process.communicate()
        return self.process.returncode, out or "", error or ""

    def interrupt(self) -> None:
        """Send Terraform one interrupt, however often this is called: it stops after what it is doing.

        A signal handler may call it at any time, also before the process exists.
        """
        self._interrupted = True
        self._forward()

    def kill(self) -> None:
        """End Terraform without a state: SIGKILL."""
        if self.process:
            self.process.kill()

    def _forward(self) -> None:
        if self.process and self._interrupted and not self._forwarded:
            self._forwarded = True
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)

    def read_state_file(self, file_path: str | None = None) -> None:
        """Read no state: python-terraform looks for a local one."""


def flag(on: bool) -> Any:
    """Return python-terraform's value for an option without an argument."""
    return python_terraform.IsFlagged if on else None
