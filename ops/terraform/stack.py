"""Terraform, through python-terraform: one stack of one environment, with live progress and safe interruption."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import hashlib
import json
import logging
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.terraform import events as terraform_events
from ops.terraform import providers as terraform_providers

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """A planned change of one resource; actions as Terraform names them: create, update, delete, no-op, …"""

    address: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A saved plan. changes: what it would do, without the no-ops. tainted: addresses that it replaces because
    their creation was interrupted or failed."""

    file: Path
    changes: tuple[Change, ...]
    tainted: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Stack:
    """One root module with one state.

    root: folder under terraform/. key: of the state object in `state_bucket`; without a bucket the stack can only
    be planned, as if nothing existed. variables: input variables. progress: called with a short text whenever something starts or ends.
    """

    root: str
    key: str
    state_bucket: str | None
    region: str
    variables: dict = field(default_factory=dict)
    progress: Progress = lambda text: None

    def __post_init__(self) -> None:
        self.folder = ROOT / "terraform" / self.root
        self.work = WORK / "terraform" / _where() / (self.state_bucket or "no-state") / self.key
        self.work.mkdir(parents=True, exist_ok=True)
        if self.state_bucket is None:
            self._use_local_state()

    def plan(self, *, destroy: bool = False, lock: bool = True) -> Plan:
        """Compare the configuration with what exists. Raises OperatorError with Terraform's own sentences.

        lock: take the state's lock, which takes leave to write; a plan that nobody will apply needs none.
        """
        self._init()
        variables = self.work / "inputs.tfvars.json"
        variables.write_text(json.dumps(self.variables, indent=2, sort_keys=True))
        file = self.work / "saved.tfplan"
        options: dict = {} if lock else {"lock": "false"}
        events = self._run("plan", out=str(file), var_file=str(variables), destroy=_flag(destroy), **options)
        planned = [e["change"] for e in events if e["type"] == "planned_change"]
        return Plan(
            file,
            tuple(
                Change(c["resource"]["addr"], tuple(terraform_events.actions(c["action"]))) for c in planned
            ),
            tuple(c["resource"]["addr"] for c in planned if c.get("reason") == "tainted"),
        )

    def apply(self, plan: Plan) -> None:
        """Carry out a saved plan."""
        self._init()  # the plan may have been made on another machine
        self._run("apply", str(plan.file))

    def up(self) -> tuple[Change, ...]:
        """Plan, and apply if there is anything to do. Returns the changes made."""
        plan = self.plan()
        if plan.tainted and self._keep_tainted(plan):
            plan = self.plan()
        if plan.changes:
            self.apply(plan)
        return plan.changes

    def down(self) -> tuple[Change, ...]:
        """Destroy everything of the stack. Returns the changes made."""
        plan = self.plan(destroy=True)
        if plan.changes:
            self.apply(plan)
        return plan.changes

    def show(self, plan: Plan) -> dict:
        """A saved plan as Terraform's JSON representation."""
        with self._environment():
            code, out, error = self._terraform().show_cmd(str(plan.file), json=_flag(True))
        if code:
            raise OperatorError(f"terraform show failed for {self.root}: {error.strip()}")
        return json.loads(out)

    def _keep_tainted(self, plan: Plan) -> list[str]:
        """Let what an interrupted run made be updated, where its replacement would be created before it goes.

        The replacement has the same name, as names are computed: AWS would refuse it, now and at every later run.
        Returns the addresses.
        """
        kept = [
            change["address"]
            for change in self.show(plan)["resource_changes"]
            if change["address"] in plan.tainted and change["change"]["actions"] == ["create", "delete"]
        ]
        for address in kept:
            self.progress(f"keeping {address}, which an interrupted run made")
            with self._environment():
                code, _, error = self._terraform().untaint_cmd(
                    address, lock_timeout="60s", no_color=_flag(True)
                )
            if code:
                raise OperatorError(f"terraform untaint of {address} failed: {error.strip()}")
        return kept

    def _use_local_state(self) -> None:
        """Work on a copy of the configuration whose backend is an empty local state."""
        copy = self.work / "configuration"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder.parent, copy / "terraform", ignore=shutil.ignore_patterns(".terraform"))
        (copy / "policies").symlink_to(ROOT / "policies")  # read by relative path
        self.folder = copy / "terraform" / self.root
        (self.folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')

    def _init(self) -> None:
        backend = self.state_bucket and {
            # Without `encrypt`, which asks for AES256 in place of the bucket's own encryption by KMS.
            "bucket": self.state_bucket,
            "key": self.key,
            "region": self.region,
            "use_lockfile": "true",
        }
        lock_file = (self.folder / ".terraform.lock.hcl").read_bytes()
        sources = sorted(self.folder.parent.rglob("*.tf"))
        text = b"\n".join(source.read_bytes() for source in sources)
        modules = b"".join(re.findall(rb"^\s*(?:module\s|source\s*=).*$", text, re.M))
        config = terraform_providers.cli_config()
        providers = config.read_bytes() if config else b""
        wanted = hashlib.sha256(
            lock_file
            + modules
            + providers
            + json.dumps([backend, os.environ.get("AWS_ENDPOINT_URL", "")]).encode()
        ).hexdigest()
        marker = self.work / "initialised"
        if marker.exists() and marker.read_text() == wanted:
            return
        self.progress("terraform init")
        # -lockfile=readonly: the committed hashes decide which provider is accepted.
        self._run("init", backend_config=backend, reconfigure=_flag(True), lockfile="readonly")
        marker.write_text(wanted)

    def _run(self, command: str, *arguments: str, retried: bool = False, **options) -> list[dict]:
        """Run a command with -json; follow its events; return them. Raises OperatorError on failure."""
        # Stays behind when this process is killed: only then may a state lock of ours be nobody's.
        unfinished = self.work / "unfinished"
        with self._log(command) as log, self._environment():
            was_killed = unfinished.exists()
            if command != "init":
                unfinished.touch()
                # The killed run's own lock is not worth waiting for.
                options["lock_timeout"] = "0s" if was_killed and not retried else "60s"
            finished = threading.Event()
            events: list[dict] = []
            follower = threading.Thread(target=self._follow, args=(log.name, finished, events))
            follower.start()
            try:
                with _interruptible(), contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                    code, _, _ = self._terraform().cmd(
                        command,
                        *arguments,
                        json=_flag(True),
                        input=False if command != "apply" else None,
                        capture_output=False,
                        **options,
                    )
            finally:
                finished.set()
                follower.join()
        errors = [e["diagnostic"] for e in events if e.get("diagnostic", {}).get("severity") == "error"]
        if code and was_killed and not retried and any("lock" in e["summary"] for e in errors):
            if lock := _own_lock(errors):
                self.progress(f"releasing the state lock of a run on this machine that was killed ({lock})")
                self._force_unlock(lock)
            return self._run(command, *arguments, retried=True, **options)
        if command != "init" and code >= 0:  # below 0 a signal ended Terraform itself: its lock may stay
            unfinished.unlink(missing_ok=True)
        if code == 0:
            return events
        raise OperatorError(self._failure(command, errors, Path(log.name)))

    @contextlib.contextmanager
    def _log(self, command: str) -> Iterator:
        """The file that is Terraform's standard output.

        A file, not a pipe: if this process is killed, Terraform finishes and releases its state lock. Its flock,
        which Terraform inherits with it, tells the next run whether a Terraform of this stack is still at work.
        """
        path = self.work / "run.jsonl"
        with path.open("a+") as log:
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

    def _follow(self, path: str, finished: threading.Event, events: list[dict]) -> None:
        with open(path) as lines:
            pending = ""
            while True:
                last = finished.is_set()
                pending += lines.read()
                *whole, pending = pending.split("\n")
                for line in whole:
                    event = terraform_events.parse(line)
                    events.append(event)
                    if text := terraform_events.progress_text(event):
                        self.progress(text)
                if last:
                    return
                finished.wait(0.1)

    def _failure(self, command: str, errors: list[dict], log: Path) -> str:
        if not errors:
            return f"terraform {command} of {self.root} failed: {_tail(log)}"
        told = []
        for error in errors[:3]:
            place = f" ({error['address']})" if error.get("address") else ""
            detail = " ".join(error.get("detail", "").split())
            told.append(f"{error['summary'].rstrip('.')}{place}{': ' + detail if detail else ''}")
        more = f" (and {len(errors) - 3} more, in {log})" if len(errors) > 3 else ""
        text = "; ".join(told) + more
        if terraform_providers.is_unreachable(text):
            return f"{terraform_providers.HOW_TO} Terraform said: {text}"
        return f"terraform {command} of {self.root} failed: {text}"

    def _force_unlock(self, lock: str) -> None:
        with self._environment():
            code, _, error = self._terraform().force_unlock_cmd(lock, force=_flag(True), no_color=_flag(True))
        if code:
            raise OperatorError(
                f"The state lock {lock} of {self.root} could not be released: {error.strip()}"
            )

    def _terraform(self):
        from python_terraform import Terraform

        logging.getLogger("python_terraform").setLevel(logging.ERROR)  # it would repeat what Terraform says
        return _NamedCommands(Terraform)(working_dir=str(self.folder), terraform_bin_path=binary())

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """python-terraform hands on this process's environment."""
        changed = {"TF_DATA_DIR": str(self.work / "data"), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        if config := terraform_providers.cli_config():
            changed["TF_CLI_CONFIG_FILE"] = str(config)
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _where() -> str:
    """Which AWS, as a folder's name: several embedded ones may be at work beside the real one."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", os.environ.get("AWS_ENDPOINT_URL", "aws"))


def _NamedCommands(base):
    """python-terraform with `force_unlock` spelt as Terraform's `force-unlock`, and no reading of local state."""

    class Commands(base):
        def generate_cmd_string(self, cmd, *args, **kwargs):
            return super().generate_cmd_string(cmd.replace("_", "-"), *args, **kwargs)

        def read_state_file(self, file_path=None):
            self.tfstate = None

    return Commands


def binary() -> str:
    """The path of Terraform 1.11 or newer. Raises OperatorError with how to get it."""
    found = shutil.which("terraform")
    how = "install Terraform 1.11 or newer (developer.hashicorp.com/terraform/install) and put it on PATH"
    if not found:
        raise OperatorError(f"Terraform is not on this machine: {how}.")
    version = _version(found, os.stat(found).st_mtime_ns)
    if tuple(int(part) for part in version.split(".")[:2]) < (1, 11):
        raise OperatorError(f"{found} is Terraform {version}, too old for S3 native state locking: {how}.")
    return found


_versions: dict[tuple[str, int], str] = {}


def _version(path: str, modified: int) -> str:
    if (path, modified) not in _versions:
        try:
            out = subprocess.run(
                [path, "version", "-json"],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "CHECKPOINT_DISABLE": "1"},
            ).stdout
            _versions[path, modified] = json.loads(out[out.index("{") :])["terraform_version"]
        except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
            said = getattr(error, "stderr", None) or str(error)
            raise OperatorError(
                f"{path} does not tell its version ({' '.join(said.split())[:200]}): reinstall Terraform."
            ) from error
    return _versions[path, modified]


def _flag(on: bool):
    from python_terraform import IsFlagged

    return IsFlagged if on else None


def _own_lock(errors: list[dict]) -> str:
    """The id of the state lock that stopped Terraform, if this user took it on this machine; empty otherwise.

    No Terraform of this stack and work folder is running here, or `_log` would still be waiting for it.
    """
    for error in errors:
        detail = error.get("detail", "")
        who = re.search(r"Who:\s+(\S+)", detail)
        lock = re.search(r"^\s*ID:\s+(\S+)", detail, re.M)  # not the RequestID of S3's refusal
        if lock and who and who.group(1) == f"{_user()}@{socket.gethostname()}":
            return lock.group(1)
    return ""


def _user() -> str:
    """The user as Terraform names it: by the password file before $USER."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


def _tail(log: Path) -> str:
    lines = [terraform_events.parse(line).get("@message", "") for line in log.read_text().splitlines()]
    return " ".join(line for line in lines if line.strip())[-600:] or "it printed nothing"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C reaches Terraform too (same terminal), which then stops in good order; wait for it, then stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
