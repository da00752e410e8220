"""The plans of an environment's stacks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ml.jobs import registry
from ops import console, live_endpoint
from ops.console import Step, say
from ops.environment import Environment
from ops.errors import OperatorError
from ops.outputs import endpoint_name
from ops.terraform import stacks
from ops.terraform.stack import Plan, Stack


@dataclass(frozen=True)
class Planned:
    """A stack with its plan, or the reason why it was not planned. name: of the stack."""

    name: str
    stack: Stack | None = None
    plan: Plan | None = None
    skipped: str = ""


def each_plan(
    env: Environment, chosen: Sequence[str], model: int, endpoint: str | None, step: Step
) -> Iterator[Planned]:
    """Plan the chosen stacks, without a lock and without a change.

    Raises OperatorError if serving cannot be planned and the command names it or a model.

    model, endpoint: as `./inv plan` takes them.
    """
    full_name = endpoint_name(env.settings, endpoint)
    before_training = {"access": stacks.access, "foundation": stacks.foundation}
    for name, make in before_training.items():
        if name in chosen:
            step(name)
            stack = make(env, step, plan_only=True)
            yield Planned(name, stack, stack.plan(lock=False))
    if "serving" in chosen:
        step("serving")
        try:
            package = _package(env, model, full_name)
        except OperatorError as error:
            if list(chosen) == ["serving"] or model:
                raise
            yield Planned("serving", skipped=str(error))
        else:
            stack = stacks.serving(env, full_name, package, step)
            yield Planned("serving", stack, stack.plan(lock=False))


def run(
    env: Environment, chosen: Sequence[str], model: int, endpoint: str | None
) -> dict[str, tuple[Stack, Plan]]:
    """Plan the chosen stacks and print the changes. Returns each stack with its plan. Arguments: as of `each_plan`."""
    made: dict[str, tuple[Stack, Plan]] = {}
    with Step("plan") as step:
        for item in each_plan(env, chosen, model, endpoint, step):
            if item.stack is None or item.plan is None:
                say(f"  {item.name} is not planned: {item.skipped}")
            else:
                made[item.name] = (item.stack, item.plan)
        step.note = ", ".join(f"{name}: {len(plan.changes)} changes" for name, (_, plan) in made.items())
    rows = [
        (name, "/".join(change.actions), change.address)
        for name, (_, plan) in made.items()
        for change in plan.changes
    ]
    if rows:
        console.table("Plan", ["stack", "action", "resource"], rows)
    return made


def as_json(made: dict[str, tuple[Stack, Plan]]) -> dict[str, Any]:
    """Return the changes of each plan for --json."""
    return {name: [vars(change) for change in plan.changes] for name, (_, plan) in made.items()}


def _package(env: Environment, model: int, endpoint: str) -> str:
    """Return the model package to plan with: version `model`, else the one in service, else the newest approved.

    The outputs name the version of the last deployment, which SageMaker may have rolled back.
    """
    if not model and (live := live_endpoint.find(env, endpoint)) and live.package:
        return live.package
    return registry.choose(env, model or None).arn
