"""Run Terraform commands on a stack through python-terraform: live progress, safe interruption.

Terraform runs with -lock=false: `ops.terraform.locks` holds the state's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ops import interrupts, processes
from ops.console import Progress, say
from ops.errors import OperatorError
from ops.terraform import events, failures, providers
from ops.terraform.client import Client, flag
from ops.terraform.configuration import Configuration
from ops.terraform.events import Event
from ops.terraform.reachability import Probe, Watch
from ops.waiting import wait_for

LONGEST_RUN_SECONDS = 3600
"""How long a run waits for another one, which may be creating an endpoint."""

_PROVIDER = "terraform-provi"  # Linux cuts the names of processes off


@dataclass(frozen=True)
class _Done:
    """A finished command.

    code: exit code; negative if a signal ended Terraform.
    unreachable: why Terraform was stopped: AWS could not be reached; else empty.
    """

    code: int
    events: list[Event]
    unreachable: str

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
    aws_variables: returns the environment variables that give Terraform AWS credentials; called for each command.
    probe: returns a function that finds out whether AWS can be reached.
    """

    root: str
    configuration: Configuration
    work: Path
    progress: Progress
    aws_variables: Callable[[], Mapping[str, str]] = dict
    probe: Callable[[], Probe] = lambda: lambda: ""

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
            errored = self.configuration.errored_state
            if done.unreachable:
                raise failures.unreachable(command, self.root, done.unreachable, errored)
            raise failures.error(command, self.root, done.code, done.errors, self.log, errored)
        return done.events

    def show(self, plan: Path) -> dict[str, Any]:
        """Return a saved plan as `terraform show -json` prints it."""
        code, out, error = self._client().show_cmd(str(plan), json=flag(True))
        if code:
            raise OperatorError(f"terraform show failed for {self.root}: {error.strip()}")
        shown: dict[str, Any] = json.loads(out)
        return shown

    def untaint(self, address: str) -> None:
        """Run `terraform untaint` on a resource."""
        code, error = self._quietly("untaint", address)
        if code:
            raise OperatorError(f"terraform untaint of {address} failed: {error.strip()}")

    def push_state(self, file: Path) -> None:
        """Replace the state with that of a file, which has the same lineage and is newer."""
        code, error = self._quietly("state push", str(file))
        if code:
            raise OperatorError(f"terraform state push of {file} failed: {' '.join(error.split())}")

    def _quietly(self, command: str, argument: str) -> tuple[int, str]:
        """Run a command that is not reported. Returns its exit code and standard error."""
        with self._log(), interrupts.deferred():
            code, _, error = self._client().cmd(command, argument, lock="false", no_color=flag(True))
        return code, error

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
        with self._log() as log, self.configuration.prepared(generated):
            self._end_orphans()
            client = self._client(self._note_session)
            finished = threading.Event()
            found: list[Event] = []
            ask, progress = self.probe(), lambda: events.completed(found)
            watch = Watch(ask, progress, lambda: self._stop(client), client.kill)
            follower = threading.Thread(target=self._follow, args=(log.name, finished, found))
            follower.start()
            try:
                with watch, interrupts.deferred(lambda: self._interrupt(client)):
                    code, _, _ = client.cmd(
                        command,
                        *arguments,
                        output=log,
                        json=flag(True),
                        input=False if command != "apply" else None,
                        **options,
                    )
            finally:
                finished.set()
                follower.join()
                self._end_orphans()
        return _Done(code, found, watch.reason)

    def _stop(self, client: Client) -> None:
        """Interrupt Terraform and end its providers, which would go on to repeat their requests."""
        client.interrupt()
        with contextlib.suppress(
            OSError, OperatorError
        ):  # no terminal; _end_orphans reports what does not end
            self.progress("AWS cannot be reached: stopping Terraform", important=True)
            if client.process:
                processes.end_programs(client.process.pid, _PROVIDER)

    def _interrupt(self, client: Client) -> None:
        """Interrupt Terraform, and say so. The terminal may be gone."""
        client.interrupt()
        with contextlib.suppress(OSError):
            say(
                "  waiting for Terraform to finish what it is doing and save its state; another Ctrl-C changes nothing"
            )

    def _note_session(self, process: int) -> None:
        """Record the session of Terraform, which runs by now and is waited for, even if the disk is full."""
        with contextlib.suppress(OSError):
            self._unfinished.write_text(f"{process} {processes.boot()}", encoding="utf-8")

    def _end_orphans(self) -> None:
        """End the provider processes of a Terraform that was killed: they would go on changing AWS.

        Terraform of this stack does not run: its flock on the log is ours.
        """
        try:
            session, _, boot = self._unfinished.read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:
            return
        if session.isdigit() and boot == processes.boot():
            ended = processes.end_session(int(session), _PROVIDER)
            if ended:
                self.progress(f"ended {_processes(len(ended))} that a killed Terraform left", important=True)
        self._unfinished.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _log(self) -> Iterator[IO[str]]:
        """Open the file that is Terraform's standard output, and lock it.

        A file and not a pipe: if this process is killed, Terraform finishes. It inherits the file and its flock, so the
        next run knows whether Terraform still works on this stack.
        """
        with self.log.open("a+", encoding="utf-8") as log:
            wait_for(
                lambda: _lock(log) or None,
                seconds=LONGEST_RUN_SECONDS,
                on_timeout=lambda: (
                    f"Another Terraform run of {self.root} on this machine has not ended within "
                    f"{LONGEST_RUN_SECONDS // 60} minutes: it writes {self.log}. End it, then run the same command again."
                ),
                on_wait=lambda: self.progress(
                    f"waiting for another Terraform run of {self.root} on this machine"
                ),
                shortest=0.2,
            )
            log.truncate(0)
            yield log

    @property
    def log(self) -> Path:
        """The file that is Terraform's standard output, and locked as long as it runs."""
        return self.work / "run.jsonl"

    @property
    def _unfinished(self) -> Path:
        """File with the session of Terraform while it runs. It remains if this process is killed."""
        return self.work / "unfinished"

    def _follow(self, path: str, finished: threading.Event, found: list[Event]) -> None:
        """Read events from the log and report progress until Terraform has finished, also without a terminal."""
        reports = True
        with open(path, "rb") as lines:
            pending = b""
            while True:
                last = finished.is_set()
                pending += lines.read()
                *complete, pending = pending.split(b"\n")
                for line in complete:
                    event = events.parse(line.decode("utf-8", "replace"))
                    found.append(event)
                    text = events.progress_text(event)
                    if text and reports:
                        try:
                            self.progress(text)
                        except OSError:  # the terminal is gone
                            reports = False
                if last:
                    return
                finished.wait(0.1)

    def _client(self, on_start: Callable[[int], None] = lambda process: None) -> Client:
        variables = {
            **self.aws_variables(),
            "TF_DATA_DIR": str(self.work / "data"),
            "TF_CLI_CONFIG_FILE": str(providers.cli_config()),
        }
        return Client(self.configuration.folder, variables, on_start)


def _processes(count: int) -> str:
    return "a process" if count == 1 else f"{count} processes"


def _lock(log: IO[str]) -> bool:
    """Lock a file, unless another process has locked it."""
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
