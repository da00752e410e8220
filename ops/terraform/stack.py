"""A stack: one Terraform root with one state, which can be planned, applied and destroyed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ops import interrupts, sessions
from ops.console import Progress, quiet
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.retries import client_config
from ops.terraform import errored_state, events, providers, reachability
from ops.terraform.adoption import adopt, state
from ops.terraform.adoption.search import Import
from ops.terraform.client import flag
from ops.terraform.commands import Commands
from ops.terraform.configuration import Configuration
from ops.terraform.locks import HeldLock, StateLock

_LOCAL_STATE = {"backend_override.tf": 'terraform {\n  backend "local" {}\n}\n'}


@dataclass(frozen=True)
class Change:
    """A planned change of one resource.

    actions: as Terraform names them: import, create, update, delete, ...
    """

    address: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A saved plan.

    changes: planned changes without no-ops.
    tainted: addresses of resources that are replaced because their creation failed or was interrupted.
    adopted: resources that are imported because an interrupted apply left them.
    """

    file: Path
    changes: tuple[Change, ...]
    tainted: tuple[str, ...] = ()
    adopted: tuple[Import, ...] = ()


@dataclass(kw_only=True)
class Stack:
    """One root with one state.

    root: folder under terraform/.
    key: key of the state object in state_bucket.
    state_bucket: None: the stack can only be planned, from scratch.
    variables: input variables.
    progress: called with a short text when something starts or ends.
    session: gives Terraform its AWS credentials.
    s3: client that locks the state; by default one of the session.
    search: finds on AWS what a plan would create; None: nothing is adopted.
    unlock: command that shows and releases locks, for messages.
    attached: environment variables that attach Terraform to a running provider, such as those of a SharedProvider.
    """

    root: str
    key: str
    state_bucket: str | None
    region: str
    variables: dict[str, Any] = field(default_factory=dict)
    progress: Progress = quiet
    session: boto3.Session = field(default_factory=sessions.new)
    s3: Any = None
    search: adopt.Find | None = None
    unlock: str = "./inv unlock"
    attached: Mapping[str, str] = field(default_factory=dict)
    _held: HeldLock | None = field(default=None, init=False, repr=False)
    _shown: tuple[Plan, dict[str, Any]] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.work = WORK / "terraform" / _aws_name() / (self.state_bucket or "no-state") / self.key
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)  # plans and states may hold secrets
        generated = _LOCAL_STATE if self.state_bucket is None else {}
        self.configuration = Configuration(ROOT / "terraform" / self.root, self.work, generated)

    @property
    def commands(self) -> Commands:
        """Terraform commands on this stack."""
        return Commands(
            self.root, self.configuration, self.work, self.progress, self._aws_variables, self._probe
        )

    def _aws_variables(self) -> dict[str, str]:
        return {**sessions.child_variables(self.session, self.region), **self.attached}

    def _probe(self) -> reachability.Probe:
        return reachability.probe(self.session, self.region)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state's lock. Within the block this stack plans and applies under the same lock.

        Raises:
            OperatorError: Somebody else holds the lock, or has released this one.
        """
        if self.state_bucket is None:
            yield
            return
        if self._held:
            self._held.verify()
            yield
            return
        self._held = self._lock(self.state_bucket).acquire()
        try:
            if self.configuration.errored_state.exists():
                self._recover(self.state_bucket)
            yield
        finally:
            held, self._held = self._held, None
            with interrupts.deferred():
                held.release()

    def plan(self, *, destroy: bool = False, lock: bool = True, targets: Sequence[str] = ()) -> Plan:
        """Plan the stack, or its destruction.

        lock: lock the state, which needs write permission. A plan that is not applied needs no lock.
        targets: addresses of resources; only these, and what depends on them, are planned. Empty: all.

        Raises:
            OperatorError: Terraform failed.
        """
        with self.locked() if lock else contextlib.nullcontext():
            return self._plan(destroy, targets)

    def _plan(self, destroy: bool, targets: Sequence[str]) -> Plan:
        """Plan until nothing is created that an interrupted apply left: some ids are only known after an import."""
        self._init()
        plan = self._plan_once(destroy, targets)
        while not destroy and self.search and any(change.actions == ("create",) for change in plan.changes):
            found = self.search(adopt.created(self.show(plan)))
            known = {item.address for item in plan.adopted}
            new = [item for item in found if item.address not in known]
            if not new:
                break
            self.progress(f"found {adopt.summary(len(new))}")
            plan = self._plan_once(destroy, targets, (*plan.adopted, *new))
        if any(item.replace for item in plan.adopted):
            adopt.check_replacements(self.show(plan), plan.adopted)
        if plan.adopted:
            self.progress(
                f"adopting {adopt.summary(len(plan.adopted))}: {adopt.names(plan.adopted)}", important=True
            )
        return plan

    def _plan_once(self, destroy: bool, targets: Sequence[str], imports: tuple[Import, ...] = ()) -> Plan:
        variables = self.work / "inputs.tfvars.json"
        variables.write_text(json.dumps(self.variables, indent=2, sort_keys=True), encoding="utf-8")
        file = self.work / "saved.tfplan"
        found = self.commands.run(
            "plan",
            generated=adopt.import_blocks(imports),
            out=str(file),
            var_file=str(variables),
            destroy=flag(destroy),
            target=list(targets),
            replace=[item.address for item in imports if item.replace],
        )
        planned = [e["change"] for e in found if e["type"] == "planned_change"]
        return Plan(
            file,
            tuple(Change(c["resource"]["addr"], tuple(events.actions(c))) for c in planned),
            tuple(c["resource"]["addr"] for c in planned if c.get("reason") == "tainted"),
            imports,
        )

    def apply(self, plan: Plan) -> None:
        """Apply a saved plan."""
        with self.locked():
            self._init()  # the plan may come from another machine
            try:
                self.commands.run("apply", str(plan.file))
            except (
                OperatorError,
                KeyboardInterrupt,
            ):  # an apply that failed or was interrupted has imported, too
                with contextlib.suppress(BotoCoreError, ClientError):
                    self._record(plan)
                raise
            self._record(plan)
        if plan.adopted:
            self.progress(f"adopted {adopt.summary(len(plan.adopted))}", important=True)

    def _record(self, plan: Plan) -> None:
        """Write unread arguments into the state, unless a newer state waits to be saved."""
        if self.state_bucket and plan.adopted and not self.configuration.errored_state.exists():
            state.record(self._client, self.state_bucket, self.key, plan.adopted)

    def up(self) -> tuple[Change, ...]:
        """Plan, and apply if anything changes. Return the changes made."""
        with self.locked():
            plan = self.plan()
            if plan.tainted and self._keep_tainted(plan):
                plan = self.plan()
            if plan.changes:
                self.apply(plan)
        return plan.changes

    def down(self) -> tuple[Change, ...]:
        """Destroy all resources of the stack. Return the changes made."""
        with self.locked():
            plan = self.plan(destroy=True)
            if plan.changes:
                self.apply(plan)
        return plan.changes

    def show(self, plan: Plan) -> dict[str, Any]:
        """Return a saved plan as `terraform show -json` prints it. The last one is kept: the command takes seconds."""
        if self._shown is None or self._shown[0] is not plan:
            self._shown = plan, self.commands.show(plan.file)
        return self._shown[1]

    def _keep_tainted(self, plan: Plan) -> list[str]:
        """Untaint the resources whose replacement would be created before they are deleted. Return their addresses.

        Names are computed, so the replacement has the same name, and AWS would refuse it in this and every later run.
        """
        kept = [
            change["address"]
            for change in self.show(plan)["resource_changes"]
            if change["address"] in plan.tainted and change["change"]["actions"] == ["create", "delete"]
        ]
        for address in kept:
            self.progress(f"keeping {address}, which an interrupted run created", important=True)
            self.commands.untaint(address)
        return kept

    @property
    def _name(self) -> str:
        """Name for messages: of the root, and of the endpoint if each has a stack."""
        folder, _, file = self.key.rpartition("/")
        return f"serving/{file.removesuffix('.tfstate')}" if folder.endswith("serving") else self.root

    def _lock(self, bucket: str) -> StateLock:
        return StateLock(
            self._client, bucket, self.key, self._name, self.commands.log, self.progress, self.unlock
        )

    def _recover(self, bucket: str) -> None:
        """Save the state that the run before could not save."""
        self._init()
        file = self.configuration.errored_state
        errored_state.recover(file, self._client, bucket, self.key, self.commands.push_state, self.progress)

    @property
    def _client(self) -> Any:
        return self.s3 or self.session.client("s3", region_name=self.region, config=client_config("s3"))

    def _init(self) -> None:
        """Run `terraform init` unless it has run with this backend and these modules and providers."""
        backend = self.state_bucket and {
            # Without `encrypt`: it requests AES256 instead of the bucket's default encryption with KMS.
            "bucket": self.state_bucket,
            "key": self.key,
            "region": self.region,
            # By default 5, too few for a service that refuses every seventh request; 25 took ten minutes to give up.
            "max_retries": "10",
            "use_lockfile": "true",  # for a plain Terraform in this folder; ours runs with -lock=false
        }
        wanted = self._init_fingerprint(backend)
        marker = self.work / "initialized"
        if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
            return
        self.progress("terraform init")
        # -lockfile=readonly: Terraform accepts only providers with the committed hashes.
        self.commands.run("init", backend_config=backend, reconfigure=flag(True), lockfile="readonly")
        marker.write_text(wanted, encoding="utf-8")

    def _init_fingerprint(self, backend: Any) -> str:
        """Return a hash of everything that `terraform init` depends on."""
        root = self.configuration.root
        lock_file = (root / ".terraform.lock.hcl").read_bytes()
        sources = b"\n".join(source.read_bytes() for source in sorted(root.parent.rglob("*.tf")))
        modules = b"".join(re.findall(rb"^\s*(?:module\s|source\s*=).*$", sources, re.M))
        config = providers.cli_config().read_bytes()
        # An attached `init` installs no provider.
        place = json.dumps([backend, os.environ.get("AWS_ENDPOINT_URL", ""), bool(self.attached)]).encode()
        return hashlib.sha256(lock_file + modules + config + place).hexdigest()


def _aws_name() -> str:
    """Return a folder name for the AWS in use: an embedded AWS by its address, else `aws`."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", os.environ.get("AWS_ENDPOINT_URL", "aws"))
