"""Terraform's tasks: plan, apply and destroy, a stack or all."""

from __future__ import annotations

from pathlib import Path

from cli.saved_plans import apply_saved, save_plans
from cli.task import ENV, JSON, environment, operator_task
from ops import console
from ops.console import Step, emit, say

STACK = {
    "stack": "foundation, serving (default: both) or access",
    "model": "model version for serving",
    "endpoint": "which endpoint, by suffix",
}


def any_package(settings) -> str:
    """A well-formed ARN: destroying needs every input, but not this one's value."""
    from ops.aws import account_id

    return (
        f"arn:aws:sagemaker:{settings.region}:{account_id(settings.region)}:model-package/{settings.prefix}/1"
    )


@operator_task(
    help={
        **ENV,
        **JSON,
        **STACK,
        "report": "write a report for a pull request to this Markdown file: changes, permissions, cost, findings",
        "fail-on": "exit non-zero if the plan does one of: destroy, replace, new-permission, finding, cost>USD (a month)",
        "save": "keep the plan in this folder, for ./inv apply --plan",
    }
)
def plan(c, env=None, stack=None, model=0, endpoint=None, report=None, fail_on=None, save=None, json=False):
    """What Terraform would change, resource by resource; with --report, what it means, also without credentials."""
    from cli.plan_report import plan_with_report
    from ops.terraform import stacks
    from pipeline.plans import each_plan

    chosen = [stacks.check_name(stack)] if stack else list(stacks.USUAL)
    if report or fail_on:
        return plan_with_report(env, chosen, model, endpoint, report, fail_on, json, save)
    settings = environment(env)
    with Step("plan") as step:
        made = {}
        for item in each_plan(settings, chosen, model, endpoint, step):
            if item.plan is None:
                say(f"  {item.stack} is not planned: {item.skipped}")
            else:
                made[item.stack] = (item.root, item.plan)
        plans = {root: done.changes for root, (_, done) in made.items()}
        step.note = ", ".join(f"{root}: {len(changes)} changes" for root, changes in plans.items())
    rows = [(root, "/".join(c.actions), c.address) for root, changes in plans.items() for c in changes]
    if rows:
        console.table("Plan", ["stack", "action", "resource"], rows)
    if save:
        save_plans(settings, Path(save), made, endpoint)
    emit({root: [vars(change) for change in changes] for root, changes in plans.items()}, json)


@operator_task(help={**ENV, **JSON, **STACK, "plan": "apply what ./inv plan --save kept in this folder"})
def apply(c, env=None, stack=None, model=0, endpoint=None, plan=None, json=False):
    """Plan and apply a stack, or both; with --plan, exactly what was planned before."""
    from pipeline import stages

    settings = environment(env)
    if plan:
        return emit(apply_saved(settings, Path(plan), chosen=bool(stack or model or endpoint)), json)
    if stack == "serving":
        return emit(stages.deploy(settings, model or None, endpoint), json)
    if stack == "access":
        return emit({"access": stages.access(settings)}, json)
    from ops.terraform import stacks

    stack and stacks.check_name(stack)
    changed = {"foundation": stages.foundation(settings)}
    if not stack:
        changed["serving"] = stages.deploy(settings, model or None, endpoint)["changes"]
    emit(changed, json)


@operator_task(help={**ENV, **JSON, **STACK})
def destroy(c, env=None, stack=None, model=0, endpoint=None, json=False):
    """Destroy a stack; without --stack an endpoint's and then the foundation. `down` also removes what is not Terraform's."""
    from ops import outputs as handover
    from ops.terraform import stacks
    from pipeline import teardown

    chosen = [stacks.check_name(stack)] if stack else ["serving", "foundation"]
    settings = environment(env)
    served = handover.endpoint_name(settings, endpoint)
    if "foundation" in chosen:
        teardown.check_foundation(settings, going=[served] if "serving" in chosen else [])
    if "access" in chosen:
        teardown.check_access(settings)
    removed = {}
    for name in chosen:
        with Step(name) as step:
            if name == "serving":
                item = stacks.serving(settings, served, any_package(settings), step)
            elif name == "access":
                item = stacks.access(settings, step)
            else:
                teardown.delete_models(settings)
                teardown.empty_bucket(settings)
                item = stacks.foundation(settings, step)
            removed[name] = [change.address for change in item.down()]
            if name == "serving":
                teardown.wait_for_endpoint(settings, served)
            if name == "access":
                teardown.delete_states(settings, access=True)
            step.note = f"{len(removed[name])} resources removed"
    emit(removed, json)
