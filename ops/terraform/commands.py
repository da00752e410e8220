"""Run Terraform commands on a stack through python-terraform: live progress, safe interruption.

Terraform runs with -lock=false: `ops.terraform.locks` holds the state's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ops.errors import OperatorError
from ops.terraform import binary, events, providers
from ops.terraform.configuration import Configuration
from ops.terraform.events import Event

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Done:
    """A finished command.

    code: exit code; negative if a signal ended Terraform.
    """

    code: int
    events: list[Event]

    @property
    def errors(self) -> list[Event]:
        return events.errors(self.events)


@dataclass(frozen=True)
class Commands:
    """Terraform commands on one root with one state.

    root: name of the root, for messages.
    configuration: the folder that Terraform runs in.
    work: folder for Terraform's data and logs.
    progress: called with a short text when something starts or ends.
    """

    root: str
    configuration: Configuration
    work: Path
    progress: Progress

    def run(
        self, command: str, *arguments: str, generated: Mapping[str, str] | None = None, **options: Any
    ) -> list[Event]:
        """Run a command with -json, report its progress and return its events.

        generated: files in the configuration for this run only: text by name.

        Raises:
            OperatorError: The command failed; the message has Terraform's diagnostics.
        """
        done = self._execute(command, arguments, generated, options)
        if done.code:
            raise OperatorError(self._failure(command, done.errors))
        return done.events

    def show(self, plan: Path) -> dict[str, Any]:
        """Return a saved plan as `terraform show -json` prints it."""
        with self._environment():
            code, out, error = _terraform(self.configuration.folder).show_cmd(str(plan), json=flag(True))
        if code:
            raise OperatorError(f"terraform show failed for {self.root}: {error.strip()}")
        shown: dict[str, Any] = json.loads(out)
        return shown

    def untaint(self, address: str) -> None:
        """Run `terraform untaint` on a resource."""
        with self._environment():
            code, _, error = _terraform(self.configuration.folder).untaint_cmd(
                address, lock="false", no_color=flag(True)
            )
        if code:
            raise OperatorError(f"terraform untaint of {address} failed: {error.strip()}")

    def _execute(
        self,
        command: str,
        arguments: tuple[str, ...],
        generated: Mapping[str, str] | None,
        options: dict[str, Any],
    ) -> _Done:
        """Run a command once."""
        if command != "init":
            options = {**options, "lock": "false"}
        with self._log() as log, self._environment(), self.configuration.prepared(generated):
            finished = threading.Event()
            found: list[Event] = []
            follower = threading.Thread(target=self._follow, args=(log.name, finished, found))
            follower.start()
            try:
                with _interruptible(), contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                    code, _, _ = _terraform(self.configuration.folder).cmd(
                        command,
                        *arguments,
                        json=flag(True),
                        input=False if command != "apply" else None,
                        capture_output=False,
                        **options,
                    )
            finally:
                finished.set()
                follower.join()
        return _Done(code, found)

    @contextlib.contextmanager
    def _log(self) -> Iterator[IO[str]]:
        """Open the file that is Terraform's standard output, and lock it.

        A file and not a pipe: if this process is killed, Terraform finishes. It inherits the file and its flock, so the next run knows whether Terraform still works on this stack.
        """
        with self.log.open("a+") as log:
            waiting = False
            while True:
                try:
                    fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waiting:
                        self.progress(f"waiting for another Terraform run of {self.root} on this machine")
                        waiting = True
                    time.sleep(0.2)
            log.truncate(0)
            yield log

    @property
    def log(self) -> Path:
        """The file that is Terraform's standard output, and locked as long as it runs."""
        return self.work / "run.jsonl"

    def _follow(self, path: str, finished: threading.Event, found: list[Event]) -> None:
        """Read events from the log and report progress until Terraform has finished."""
        with open(path) as lines:
            pending = ""
            while True:
                last = finished.is_set()
                pending += lines.read()
                *complete, pending = pending.split("\n")
                for line in complete:
                    event = events.parse(line)
                    found.append(event)
                    if text := events.progress_text(event):
                        self.progress(text)
                if last:
                    return
                finished.wait(0.1)

    def _failure(self, command: str, errors: list[Event]) -> str:
        """Return the message for a failed command: its first three errors, or the end of its log."""
        if not errors:
            return f"terraform {command} of {self.root} failed: {_tail(self.log)}"
        texts = []
        for error in errors[:3]:
            address = f" ({error['address']})" if error.get("address") else ""
            detail = " ".join(error.get("detail", "").split())
            texts.append(f"{error['summary'].rstrip('.')}{address}{': ' + detail if detail else ''}")
        more = f" (and {len(errors) - 3} more, in {self.log})" if len(errors) > 3 else ""
        text = "; ".join(texts) + more
        if providers.is_unreachable(text):
            return f"{providers.HOW_TO} Terraform reported: {text}"
        return f"terraform {command} of {self.root} failed: {text}"

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """Set Terraform's environment variables. python-terraform passes on those of this process."""
        changed = {"TF_DATA_DIR": str(self.work / "data"), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        if config := providers.cli_config():
            changed["TF_CLI_CONFIG_FILE"] = str(config)
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name)
                else:
                    os.environ[name] = value


def flag(on: bool) -> Any:
    """Return python-terraform's value for an option without an argument."""
    from python_terraform import IsFlagged

    return IsFlagged if on else None


def _terraform(folder: Path) -> Any:
    """Return python-terraform for a folder."""
    from python_terraform import Terraform

    # It would repeat Terraform's output.
    logging.getLogger("python_terraform").setLevel(logging.ERROR)

    class Client(Terraform):  # type: ignore[misc]  # python-terraform has no types
        """python-terraform that reads no local state."""

        def read_state_file(self, file_path: str | None = None) -> None:
            self.tfstate = None

    return Client(working_dir=str(folder), terraform_bin_path=binary.find())


def _tail(log: Path) -> str:
    lines = [events.parse(line).get("@message", "") for line in log.read_text().splitlines()]
    return " ".join(line for line in lines if line.strip())[-600:] or "it printed nothing"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """On Ctrl-C wait for Terraform, then raise KeyboardInterrupt.

    Terraform gets the signal too, as it has the same terminal, and stops cleanly.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def record(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    before = signal.signal(signal.SIGINT, record)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
