"""The stages that apply the stacks before training: foundation, and access."""

from __future__ import annotations

from ops.console import Stage, Step
from ops.environment import Environment
from ops.terraform import stacks
from ops.terraform.saved_plans import SavedPlans
from pipeline import notifications
from pipeline.notes import changes_note


def apply(env: Environment, stages: list[Stage] | None = None, saved: SavedPlans | None = None) -> list[str]:
    """Apply stack foundation, by its saved plan if there is one. Returns the addresses of the changed resources."""
    with Step("foundation", stages) as step:
        stack = stacks.foundation(env, step)
        changes = saved.carry_out(stack) if saved else stack.up()
        env.outputs.forget()
        if addresses := notifications.unconfirmed(env):
            # AWS has just sent its mails if the subscriptions are new.
            (step.remark if changes else step.degrade)(notifications.problem(addresses))
        if not changes:
            step.unchanged()
        step.note = changes_note(changes, "bucket, key, roles, registry, log groups")
    return [change.address for change in changes]


def apply_access(
    env: Environment, stages: list[Stage] | None = None, saved: SavedPlans | None = None
) -> list[str]:
    """Apply stack access, by its saved plan if there is one. Returns the addresses of the changed resources."""
    with Step("access", stages) as step:
        stack = stacks.access(env, step)
        changes = saved.carry_out(stack) if saved else stack.up()
        if not changes:
            step.unchanged()
        step.note = changes_note(changes, "roles of the operator and of CI")
    return [change.address for change in changes]
