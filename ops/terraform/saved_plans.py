"""Saved plans: plan files with a manifest, reviewed first and then applied exactly.

The files contain state and inputs: treat them as confidential.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ops import child_environment
from ops.documents import decode
from ops.errors import OperatorError
from ops.paths import ROOT
from ops.settings import Settings
from ops.terraform.stack import Change, Plan, Stack

MANIFEST = "manifest.json"
_OUTPUTS = "aws_ssm_parameter.outputs"  # the stack outputs of the foundation, which serving reads


class SavedStack(BaseModel):
    """The plan of a stack.

    state: S3 URI of its state.
    inputs: digest of each input variable.
    plan: digest of the plan file.
    changes: addresses of the changed resources.
    adopted: those of them that are imported, because an interrupted apply left them.
    """

    model_config = ConfigDict(extra="forbid")

    state: str
    inputs: dict[str, str]
    plan: str
    changes: list[str]
    adopted: list[str] = []


class Manifest(BaseModel):
    """What the plans were made from.

    commit: for people; nothing depends on it.
    sources: digest of terraform/ and policies/.
    endpoint, model: arguments of `deploy`.
    not_planned: reason by stack.
    """

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
    """Saved plans of this environment and these sources.

    again: command that plans again.
    """

    folder: Path
    manifest: Manifest
    again: str

    def carry_out(self, stack: Stack) -> tuple[Change, ...]:
        """Apply the plan of a stack, if it changes anything. Return the changes made, as Stack.up does.

        Raises:
            OperatorError: The plan is out of date.
        """
        saved, name = self.manifest.stacks[stack.root], f"The plan of {stack.root} in {self.folder}"
        if saved.state != _state(stack):
            raise OperatorError(
                f"{name} is for {saved.state}, not {_state(stack)}. To plan again: {self.again}."
            )
        plan = Plan(
            self.folder / f"{stack.root}.tfplan",
            tuple(Change(c, ("import",) if c in saved.adopted else ()) for c in saved.changes),
        )
        if not plan.changes:
            return ()
        now = _inputs(stack)
        if other := sorted(k for k in saved.inputs.keys() | now.keys() if saved.inputs.get(k) != now.get(k)):
            raise OperatorError(
                f"{name} is out of date: its inputs have changed ({', '.join(other)}). To plan again: {self.again}."
            )
        try:
            stack.apply(plan)
        except OperatorError as error:
            if "Saved plan" not in str(error):
                raise
            raise OperatorError(
                f"{name} is stale: it has been applied, or something else has changed the state since. "
                f"To plan again: {self.again}."
            ) from error
        return plan.changes


def save(
    folder: Path, settings: Settings, planned: dict[str, tuple[Stack, Plan]], endpoint: str | None
) -> Manifest:
    """Save plans to a folder. planned: stack and plan by name. endpoint: argument of `deploy`.

    The plan of serving is left out if the foundation's plan changes outputs that serving reads.

    Raises:
        OperatorError: A plan cannot be applied later.
    """
    not_planned = {}
    if {"foundation", "serving"} <= planned.keys():
        changes = planned["foundation"][1].changes
        if any(change.address == _OUTPUTS for change in changes):
            not_planned["serving"] = (
                "the plan of the foundation changes outputs that serving reads: apply it, then plan again"
            )
    for name, (stack, plan) in planned.items():
        if stack.state_bucket is None:
            raise OperatorError(
                f"The plan of {name} cannot be saved: without a state bucket it is a plan from scratch. "
                f"Create the bucket with ./inv apply --stack foundation{settings.flag}."
            )
        if plan.tainted:
            raise OperatorError(
                f"The plan of {name} cannot be saved: an interrupted run left {', '.join(plan.tainted)} incomplete. "
                f"Complete the stack with ./inv apply --stack {name}{settings.flag}."
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
                adopted=[change.address for change in plan.changes if "import" in change.actions],
            )
            for name, (stack, plan) in kept.items()
        },
        not_planned=not_planned,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def load(folder: Path, settings: Settings) -> SavedPlans:
    """Return the plans in a folder.

    Raises:
        OperatorError: They are incomplete, or for another environment or other sources.
    """
    again = f"./inv plan{settings.flag} --save {folder}"
    try:
        content = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise OperatorError(f"{folder} has no saved plan: make one with {again}.") from None
    manifest = decode(
        Manifest, content, what=f"The plan's manifest {folder / MANIFEST}", remedy=f"plan again with {again}"
    )
    if manifest.environment != settings.environment:
        raise OperatorError(
            f"The plan in {folder} is for environment {manifest.environment}, not {settings.environment}: use "
            f"--env {manifest.environment}, or plan again with {again}."
        )
    if manifest.sources != _sources():
        raise OperatorError(
            f"The plan in {folder} is for other sources: for commit {manifest.commit}, and this is {_commit()}. Check out "
            f"that commit, without changes to terraform/ and policies/, or plan again with {again}."
        )
    for name, saved in manifest.stacks.items():
        file = folder / f"{name}.tfplan"
        if not file.is_file() or _digest(file.read_bytes()) != saved.plan:
            raise OperatorError(f"{file} is missing or has changed: plan again with {again}.")
    return SavedPlans(folder, manifest, again)


def _state(stack: Stack) -> str:
    return f"s3://{stack.state_bucket}/{stack.key}"


def _model(serving: Stack) -> int:
    return int(serving.variables["model_package_arn"].rpartition("/")[2])


def _inputs(stack: Stack) -> dict[str, str]:
    """Return a digest of each variable, so that the manifest does not contain values."""
    return {k: _digest(json.dumps(v, sort_keys=True).encode()) for k, v in stack.variables.items()}


def _sources() -> str:
    """Return a digest of what Terraform reads. A plan has its configuration, but apply reads the policies again."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "terraform").rglob("*"), *(ROOT / "policies").rglob("*")]):
        ignored = path.suffix == ".md" or {".terraform", "__pycache__"} & set(path.parts)
        if path.is_file() and not ignored:
            digest.update(f"{path.relative_to(ROOT)}\0{_digest(path.read_bytes())}\n".encode())
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _commit() -> str:
    """Return the short hash of the current commit, or `unknown` outside a git checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    try:
        environment = child_environment.build("program")
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace"
        )
    except FileNotFoundError:  # git is not installed
        return "unknown"
    return done.stdout.strip() or "unknown"
