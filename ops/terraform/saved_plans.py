"""A plan that somebody looks at before exactly that is applied: Terraform's plan files, and what they are plans of.

The files hold states and inputs: whoever reads them knows what the environment is made of.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ops.errors import OperatorError
from ops.paths import ROOT
from ops.settings import Settings
from ops.terraform.stack import Change, Plan, Stack

MANIFEST = "manifest.json"
_HANDOVER = "aws_ssm_parameter.handover"  # what the foundation tells serving


class SavedStack(BaseModel):
    """A stack's plan. inputs and plan: digests, of each input variable and of the file; changes: addresses."""

    model_config = ConfigDict(extra="forbid")

    state: str
    inputs: dict[str, str]
    plan: str
    changes: list[str]


class Manifest(BaseModel):
    """What the plans are of. commit: for a person; sources: digest of the configuration. endpoint, model: as `deploy`
    takes them. not_planned: why, by stack."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    environment: str
    commit: str
    sources: str
    endpoint: str | None
    model: int | None
    stacks: dict[str, SavedStack]
    not_planned: dict[str, str]


@dataclass(frozen=True)
class SavedPlans:
    """Plans in a folder, of this environment and of these sources."""

    folder: Path
    manifest: Manifest
    again: str  # the command that plans anew

    def carry_out(self, stack: Stack) -> tuple[Change, ...]:
        """Apply the stack's plan, if it changes anything. Returns the changes made, as Stack.up does.

        Raises OperatorError where the plan no longer fits what is there.
        """
        saved, name = self.manifest.stacks[stack.root], f"The plan of {stack.root} in {self.folder}"
        if saved.state != _state(stack):
            raise OperatorError(
                f"{name} is for {saved.state}, not {_state(stack)}. To plan anew: {self.again}."
            )
        plan = Plan(self.folder / f"{stack.root}.tfplan", tuple(Change(c, ()) for c in saved.changes))
        if not plan.changes:
            return ()
        now = _inputs(stack)
        if other := sorted(k for k in saved.inputs.keys() | now.keys() if saved.inputs.get(k) != now.get(k)):
            raise OperatorError(
                f"{name} is out of date: {', '.join(other)} would now be given otherwise. To plan anew: {self.again}."
            )
        try:
            stack.apply(plan)
        except OperatorError as error:
            if "Saved plan" not in str(error):
                raise
            raise OperatorError(
                f"{name} is stale: it has been applied, or something else has changed the state since. "
                f"To plan anew: {self.again}."
            ) from error
        return plan.changes


def save(
    folder: Path, settings: Settings, planned: dict[str, tuple[Stack, Plan]], endpoint: str | None
) -> Manifest:
    """Keep plans in a folder. planned: by stack; endpoint: as `deploy` takes it.

    Serving's plan is left out where the foundation's changes what it reads: it was made of what is there now.
    """
    not_planned = {}
    if {"foundation", "serving"} <= planned.keys():
        changes = planned["foundation"][1].changes
        if any(change.address == _HANDOVER for change in changes):
            not_planned["serving"] = (
                "the foundation's plan changes what serving reads; apply it, then plan again"
            )
    for name, (stack, plan) in planned.items():
        if stack.state_bucket is None:
            raise OperatorError(
                f"The plan of {name} cannot be saved: without a state bucket it is made as if nothing existed. "
                f"./inv apply --stack foundation{settings.flag} makes the bucket, once."
            )
        if plan.tainted:
            raise OperatorError(
                f"The plan of {name} cannot be saved: an interrupted run left {', '.join(plan.tainted)} half made. "
                f"./inv apply --stack {name}{settings.flag} finishes that."
            )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    kept = {name: item for name, item in planned.items() if name not in not_planned}
    for name, (_, plan) in kept.items():
        shutil.copyfile(plan.file, folder / f"{name}.tfplan")
    manifest = Manifest(
        environment=settings.environment,
        commit=_commit(),
        sources=_sources(),
        endpoint=endpoint,
        model=_model(kept["serving"][0]) if "serving" in kept else None,
        stacks={
            name: SavedStack(
                state=_state(stack),
                inputs=_inputs(stack),
                plan=_digest((folder / f"{name}.tfplan").read_bytes()),
                changes=[change.address for change in plan.changes],
            )
            for name, (stack, plan) in kept.items()
        },
        not_planned=not_planned,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def load(folder: Path, settings: Settings) -> SavedPlans:
    """The plans in a folder. Raises OperatorError if they are of another environment or other sources, or not whole."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_text())
    except FileNotFoundError:
        raise OperatorError(
            f"{folder} holds no saved plan: ./inv plan{settings.flag} --save {folder} makes one."
        ) from None
    except ValidationError as error:
        raise OperatorError(
            f"{folder / MANIFEST} is no manifest of ours ({error.error_count()} mistakes): plan again."
        ) from error
    again = f"./inv plan{settings.flag} --save {folder}"
    if manifest.environment != settings.environment:
        raise OperatorError(
            f"The plan in {folder} is of environment {manifest.environment}, not {settings.environment}: give "
            f"--env {manifest.environment}, or plan with {again}."
        )
    if manifest.sources != _sources():
        raise OperatorError(
            f"The plan in {folder} is of other sources: of commit {manifest.commit}, and here is {_commit()}. Check that "
            f"commit out, without changes to terraform/ and policies/, or plan with {again}."
        )
    for name, saved in manifest.stacks.items():
        file = folder / f"{name}.tfplan"
        if not file.is_file() or _digest(file.read_bytes()) != saved.plan:
            raise OperatorError(f"{file} is missing or is not the plan that was saved: plan with {again}.")
    return SavedPlans(folder, manifest, again)


def _state(stack: Stack) -> str:
    return f"s3://{stack.state_bucket}/{stack.key}"


def _model(serving: Stack) -> int:
    return int(serving.variables["model_package_arn"].rpartition("/")[2])


def _inputs(stack: Stack) -> dict[str, str]:
    """Digests: a difference is told by the variable's name alone."""
    return {k: _digest(json.dumps(v, sort_keys=True).encode()) for k, v in stack.variables.items()}


def _sources() -> str:
    """Of what Terraform reads: a plan holds its configuration, but applying it reads the documents again."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "terraform").rglob("*"), *(ROOT / "policies").rglob("*")]):
        unread = path.suffix == ".md" or {".terraform", "__pycache__"} & set(path.parts)
        if path.is_file() and not unread:
            digest.update(f"{path.relative_to(ROOT)}\0{_digest(path.read_bytes())}\n".encode())
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _commit() -> str:
    """The commit that is checked out, shortened; `unknown` outside a git checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:  # no git here
        return "unknown"
    return done.stdout.strip() or "unknown"
