"""Run Terraform commands on a stack through python-terraform: live progress, state locks, safe interruption."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import logging
import os
import pwd
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ops.errors import OperatorError
from ops.terraform import binary, events, providers
from ops.terraform.events import Event

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Done:
    """A finished command.

    code: exit code; negative if a signal ended Terraform.
    after_kill: the run before it was killed.
    """

    code: int
    events: list[Event]
    after_kill: bool

    @property
    def errors(self) -> list[Event]:
        return events.errors(self.events)


@dataclass(frozen=True)
class Commands:
    """Terraform commands on one root with one state.

    root: name of the root, for messages.
    folder: folder of the root.
    work: folder for Terraform's data and logs.
    progress: called with a short text when something starts or ends.
    """

    root: str
    folder: Path
    work: Path
    progress: Progress

    def run(self, command: str, *arguments: str, **options: Any) -> list[Event]:
        """Run a command with -json, report its progress and return its events.

        Raises:
            OperatorError: The command failed; the message has Terraform's diagnostics.
        """
        done = self._execute(command, arguments, options)
        if done.code and done.after_kill and any("lock" in error["summary"] for error in done.errors):
            if lock := _own_lock(done.errors):
                self.progress(f"releasing the state lock of a run on this machine that was killed ({lock})")
                self._force_unlock(lock)
            done = self._execute(command, arguments, options, wait_for_lock=True)
        if command != "init" and done.code >= 0:  # a negative code is a signal: Terraform's lock may remain
            self._unfinished.unlink(missing_ok=True)
        if done.code:
            raise OperatorError(self._failure(command, done.errors))
        return done.events

    def show(self, plan: Path) -> dict[str, Any]:
        """Return a saved plan as `terraform show -json` prints it."""
        with self._environment():
            code, out, error = _terraform(self.folder).show_cmd(str(plan), json=flag(True))
        if code:
            raise OperatorError(f"terraform show failed for {self.root}: {error.strip()}")
        shown: dict[str, Any] = json.loads(out)
        return shown

    def untaint(self, address: str) -> None:
        """Run `terraform untaint` on a resource."""
        with self._environment():
            code, _, error = _terraform(self.folder).untaint_cmd(
                address, lock_timeout="60s", no_color=flag(True)
            )
        if code:
            raise OperatorError(f"terraform untaint of {address} failed: {error.strip()}")

    def _execute(
        self,
        command: str,
        arguments: tuple[str, ...],
        options: dict[str, Any],
        *,
        wait_for_lock: bool = False,
    ) -> _Done:
        """Run a command once. wait_for_lock: wait for the state lock even if the run before was killed."""
        with self._log() as log, self._environment():
            after_kill = self._unfinished.exists()
            if command != "init":
                self._unfinished.touch()
                timeout = "60s" if wait_for_lock or not after_kill else "0s"
                options = {**options, "lock_timeout": timeout}
            finished = threading.Event()
            found: list[Event] = []
            follower = threading.Thread(target=self._follow, args=(log.name, finished, found))
            follower.start()
            try:
                with _interruptible(), contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                    code, _, _ = _terraform(self.folder).cmd(
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
        return _Done(code, found, after_kill)

    @contextlib.contextmanager
    def _log(self) -> Iterator[IO[str]]:
        """Open the file that is Terraform's standard output, and lock it.

        A file and not a pipe: if this process is killed, Terraform finishes and releases its state lock. Terraform
        inherits the file and its flock, so the next run knows whether Terraform still works on this stack.
        """
        with self._log_path.open("a+") as log:
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
    def _log_path(self) -> Path:
        return self.work / "run.jsonl"

    @property
    def _unfinished(self) -> Path:
        """File that remains if this process is killed. Only then can a state lock of ours have no owner."""
        return self.work / "unfinished"

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
            return f"terraform {command} of {self.root} failed: {_tail(self._log_path)}"
        texts = []
        for error in errors[:3]:
            address = f" ({error['address']})" if error.get("address") else ""
            detail = " ".join(error.get("detail", "").split())
            texts.append(f"{error['summary'].rstrip('.')}{address}{': ' + detail if detail else ''}")
        more = f" (and {len(errors) - 3} more, in {self._log_path})" if len(errors) > 3 else ""
        text = "; ".join(texts) + more
        if providers.is_unreachable(text):
            return f"{providers.HOW_TO} Terraform reported: {text}"
        return f"terraform {command} of {self.root} failed: {text}"

    def _force_unlock(self, lock: str) -> None:
        with self._environment():
            code, _, error = _terraform(self.folder).force_unlock_cmd(
                lock, force=flag(True), no_color=flag(True)
            )
        if code:
            raise OperatorError(f"State lock {lock} of {self.root} could not be released: {error.strip()}")

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
        """python-terraform that spells `force_unlock` as `force-unlock` and reads no local state."""

        def generate_cmd_string(self, cmd: str, *args: Any, **kwargs: Any) -> Any:
            return super().generate_cmd_string(cmd.replace("_", "-"), *args, **kwargs)

        def read_state_file(self, file_path: str | None = None) -> None:
            self.tfstate = None

    return Client(working_dir=str(folder), terraform_bin_path=binary.find())


def _own_lock(errors: list[Event]) -> str:
    """Return the ID of the state lock that stopped Terraform if this user took it on this machine, else "".

    No Terraform of this stack and work folder runs on this machine: `_log` would still wait for it.
    """
    for error in errors:
        detail = error.get("detail", "")
        owner = re.search(r"Who:\s+(\S+)", detail)
        lock = re.search(r"^\s*ID:\s+(\S+)", detail, re.M)  # not the RequestID in S3's error
        if lock and owner and owner.group(1) == f"{_user()}@{socket.gethostname()}":
            return lock.group(1)
    return ""


def _user() -> str:
    """Return the user name as Terraform determines it: from the password file, else from $USER."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


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
