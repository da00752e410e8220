"""The plans of an environment's stacks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.console import Step
from ops.errors import OperatorError
from ops.settings import Settings
from ops.terraform.stack import Plan, Stack


@dataclass(frozen=True)
class Planned:
    """A stack with its plan; without one where it cannot be planned yet. skipped: why not."""

    stack: str
    root: Stack | None = None
    plan: Plan | None = None
    skipped: str = ""


def each_plan(
    settings: Settings, chosen: Sequence[str], model: int, endpoint: str | None, step: Step
) -> Iterator[Planned]:
    """Plan the chosen stacks; nothing is locked or changed.

    model, endpoint: as `./inv plan` takes them. Raises OperatorError if serving cannot be planned though it, or a
    model, was asked for.
    """
    from ops import outputs as handover
    from ops.terraform import stacks

    name = handover.endpoint_name(settings, endpoint)
    for stack in ("access", "foundation"):
        if stack in chosen:
            step(stack)
            root = getattr(stacks, stack)(settings, step, plan_only=True)
            yield Planned(stack, root, root.plan(lock=False))
    if "serving" in chosen:
        step("serving")
        try:
            package = _package(settings, model, name)
        except OperatorError as error:
            if list(chosen) == ["serving"] or model:
                raise
            yield Planned("serving", skipped=str(error))
        else:
            root = stacks.serving(settings, name, package, step)
            yield Planned("serving", root, root.plan(lock=False))


def _package(settings: Settings, model: int, endpoint: str) -> str:
    """The model version to plan with: the one named, else the one that serves, else the newest approved."""
    from ml.jobs import registry
    from ops import outputs as handover

    foundation = handover.foundation(settings)
    if not model:
        serving = {s.endpoint_name: s.model_package_arn for s in handover.all_serving(settings)}
        if endpoint in serving:
            return serving[endpoint]
    return registry.choose(settings, foundation, model or None).arn
