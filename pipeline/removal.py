"""What is to be removed: the stacks, locked and planned, and the data. Nothing is removed before all of it is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ml.jobs import running
from ops import bucket, console
from ops.bucket import Contents
from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts.prices import prices
from ops.s3 import S3Uri
from ops.terraform import dependencies, stacks, state_contents
from ops.terraform.stack import Plan, Stack
from pipeline import cleanup

KEEP = ("data", "models")
"""What `--keep` accepts."""

_DATA = ("module.storage", "module.key")
_MODELS = "aws_sagemaker_model_package_group.this"

# Kinds of resources that people look for first; all others are counted together.
_KINDS = {
    "aws_sagemaker_endpoint": "endpoints",
    "aws_lambda_function": "functions",
    "aws_instance": "training hosts",
    "aws_sagemaker_domain": "Studio domains",
    "aws_sagemaker_notebook_instance": "notebook instances",
    "aws_vpc": "networks",
    "aws_s3_bucket": "buckets",
    "aws_kms_key": "encryption keys",
    "aws_iam_role": "roles",
}


@dataclass(frozen=True)
class PlannedStack:
    """A stack whose lock is held, and the plan of its destruction.

    name: as `stacks.deployed` names it.
    plan: cannot be applied if there is an early one: a stack has one plan file.
    early: plan for everything but data and models; None if everything is removed at once.
    """

    name: str
    stack: Stack
    plan: Plan
    early: Plan | None = None


@dataclass(frozen=True)
class Removal:
    """What is to be removed.

    stacks: by name, in the order of their removal.
    jobs: names of running jobs.
    models: number of model versions that are deleted.
    contents: of the data bucket; empty if nothing of it is deleted.
    keep: what stays of `KEEP`.
    """

    stacks: dict[str, PlannedStack] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()
    models: int = 0
    contents: Contents = field(default_factory=Contents)
    keep: frozenset[str] = frozenset()

    @property
    def kept_addresses(self) -> tuple[str, ...]:
        """Addresses in the foundation that stay; without what they need."""
        return (*(_DATA if self.keep else ()), *((_MODELS,) if "models" in self.keep else ()))

    def rows(self) -> list[tuple[str, str]]:
        """Return what is removed and how many, for a table."""
        counts: Counter[str] = Counter()
        for planned in self.stacks.values():
            kept = (
                dependencies.needed(state(planned.stack), self.kept_addresses) if self.keep else frozenset()
            )
            for change in planned.plan.changes:
                address = dependencies.configuration_address(change.address)
                if address not in kept:
                    counts[_KINDS.get(address.split(".")[-2], "other resources")] += 1
        rows = [(kind, f"{counts[kind]:,}") for kind in (*_KINDS.values(), "other resources") if counts[kind]]
        if self.jobs:
            rows.append(("running jobs", f"{len(self.jobs):,}"))
        if self.models:
            rows.append(("model versions", f"{self.models:,}"))
        if self.contents.versions:
            at_least = "" if self.contents.complete else "more than "
            rows.append(("object versions", f"{at_least}{self.contents.versions:,}"))
            rows.append(("size of the objects", f"{at_least}{_size(self.contents.size)}"))
        if self.contents.uploads:
            rows.append(("unfinished uploads", f"{self.contents.uploads:,}"))
        return rows

    def show(self, title: str) -> None:
        """Print what is removed."""
        if rows := self.rows():
            console.table(title, ["what", "how many"], rows)


def parse_keep(text: str | None) -> frozenset[str]:
    """Return what `--keep data,models` names. Raises OperatorError for anything else."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if (unknown := [name for name in names if name not in KEEP]) or (text is not None and not names):
        raise OperatorError(
            f"--keep {', '.join(unknown) or repr(text)}: choose data, models, or data,models."
        )
    return frozenset(names)


def prepare(
    env: Environment, names: Sequence[str], keep: frozenset[str], held: ExitStack, *, data: bool = True
) -> Removal:
    """Lock all stacks, plan their destruction, and count the data. Nothing is changed.

    names: stacks in the order of their removal, as `stacks.deployed` names them.
    held: holds the locks.
    data: whether jobs, models and objects are removed as well.

    Raises:
        OperatorError: Somebody else holds a lock, or a destruction cannot be planned.
    """
    planned: dict[str, PlannedStack] = {}
    with Step("locks") as step:
        made = {name: _stack(env, name, step) for name in names}
        for name, stack in made.items():
            step(f"locking {name}", important=True)
            held.enter_context(stack.locked())
        step.note = ", ".join(names) or "there is no state"
    contents, models = Contents(), 0
    jobs: tuple[str, ...] = ()
    with Step("plan") as step:
        for name, stack in made.items():
            stack.progress = step
            step(f"planning the destruction of {name}", important=True)
            exists = state(stack).get("resources")
            plan = stack.plan(destroy=True) if exists else Plan(stack.work / "nothing", ())
            planned[name] = PlannedStack(name, stack, plan)
        if data:
            contents = Contents() if "data" in keep else bucket.contents(env, env.data_bucket, progress=step)
            models = 0 if "models" in keep else len(cleanup.model_versions(env))
            jobs = tuple(name for kind in running.KINDS for name in running.running(env, kind))
            foundation = planned.get("foundation")
            if foundation and foundation.plan.changes and (contents or models or keep):
                planned["foundation"] = in_two_parts(foundation)
        step.note = f"{sum(len(found.plan.changes) for found in planned.values())} resources"
    return Removal(planned, jobs, models, contents, keep)


def state(stack: Stack) -> dict[str, Any]:
    """Return a stack's state as far as it matters here: its resources. Raises UnreadableDocument for a damaged state."""
    s3 = stack.s3
    assert stack.state_bucket  # a stack that can only be planned is not removed
    try:
        content = s3.get_object(Bucket=stack.state_bucket, Key=stack.key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        content = b""
    return {"resources": state_contents.resources(content, S3Uri(stack.state_bucket, stack.key))}


def kept_cost(removal: Removal, kept: Contents) -> str:
    """Return what stays and its monthly cost, for a sentence."""
    month = prices()["month"]
    storage = kept.size / 1e9 * month["s3_gb"]
    texts = [
        f"the bucket with {kept.versions:,} object versions ({_size(kept.size)}, about {storage:.2f} USD a month)"
    ]
    texts.append(
        f"its key ({month['kms_key']:.2f} USD a month) and the roles that the key's policy names (free)"
    )
    if "models" in removal.keep:
        texts.append("the model versions (free)")
    return ", ".join(texts)


def _size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def in_two_parts(planned: PlannedStack) -> PlannedStack:
    """Return the stack with a plan that leaves data, models, and what these need."""
    late = dependencies.needed(state(planned.stack), (*_DATA, _MODELS))
    early = [
        change.address
        for change in planned.plan.changes
        if dependencies.configuration_address(change.address) not in late
    ]
    nothing = Plan(planned.plan.file, ())
    plan = planned.stack.plan(destroy=True, targets=early) if early else nothing
    return PlannedStack(planned.name, planned.stack, planned.plan, plan)


def _stack(env: Environment, name: str, step: Step) -> Stack:
    """Return a stack that is only to be destroyed: its inputs are well-formed, but Terraform does not use them."""
    if name == "foundation":
        return stacks.foundation(env, step)
    if name == "access":
        return stacks.access(env, step)
    if name == "training_host":
        return stacks.training_host(env, step)
    if name == "workbench":
        return stacks.workbench(env, step)
    settings = env.settings
    group = (
        f"arn:{env.partition}:sagemaker:{settings.region}:{env.account_id}:model-package/{settings.prefix}"
    )
    return stacks.serving(env, name.removeprefix("serving/"), f"{group}/1", step)
