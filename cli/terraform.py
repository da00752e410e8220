"""The tasks of Terraform: plan, apply and destroy, one stack or all."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from cli import confirm, embedded
from cli.task import ENV, JSON, Reported, connect, exit_with, finish, operator_task, refuse_unused
from ops import console, settings
from ops.console import Stage, emit
from ops.paths import WORK

if TYPE_CHECKING:
    from pipeline.removal import Removal

STACK = {"stack": "foundation, serving (default: both) or access"}
MODEL = {"model": "model version for serving"}
ENDPOINT = {"endpoint": "suffix of the endpoint's name"}
ONLY_SERVING = "only stack serving uses it"


@operator_task(
    help={
        **ENV,
        **JSON,
        **STACK,
        **MODEL,
        **ENDPOINT,
        "report": "write a report for a pull request to this Markdown file: changes, permissions, cost, findings",
        "fail-on": "exit non-zero if the plan does one of: destroy, replace, new-permission, finding, cost>USD (a month)",
        "save": "save the plan in this folder, for ./inv apply --plan",
    }
)
def plan(
    c: Context,
    env: str | None = None,
    stack: str | None = None,
    model: int = 0,
    endpoint: str | None = None,
    report: str | None = None,
    fail_on: str | None = None,
    save: str | None = None,
    json: bool = False,
) -> None:
    """Show what Terraform would change, by resource; with --report, what it means, also without credentials."""
    from ops.terraform import stacks
    from pipeline import plans, saved_plans

    chosen = [stacks.check_name(stack)] if stack else list(stacks.DEFAULT)
    if "serving" not in chosen:
        refuse_unused(model=model, endpoint=endpoint, reason=ONLY_SERVING)
    if report or fail_on:
        return _plan_with_report(env, chosen, model, endpoint, report, fail_on, save, json)
    environment = connect(env)
    made = plans.run(environment, chosen, model, endpoint)
    if save:
        saved_plans.save(environment, Path(save), made, endpoint)
    emit(plans.as_json(made), json)


def _plan_with_report(
    env: str | None,
    chosen: list[str],
    model: int,
    endpoint: str | None,
    report: str | None,
    fail_on: str | None,
    save: str | None,
    json: bool,
) -> None:
    from ops.aws import is_signed_in
    from ops.plan_report import gates
    from pipeline import plan_report

    request = plan_report.Request(
        chosen=chosen,
        model=model,
        endpoint=endpoint,
        file=Path(report) if report else None,
        fail_on=gates.parse(fail_on or ""),
        save=Path(save) if save else None,
    )
    found = settings.load(env)
    if found.embedded_aws or is_signed_in():
        result, problem = plan_report.of_account(connect(env), request)
    else:
        scratch = functools.partial(embedded.scratch_account, found, WORK / "plan_report" / "aws")
        result, problem = plan_report.from_scratch(found.environment, scratch, request)
    emit(result, json)
    if problem:
        raise Reported(problem)


@operator_task(
    help={
        **ENV,
        **JSON,
        **STACK,
        **MODEL,
        **ENDPOINT,
        "plan": "apply what ./inv plan --save saved in this folder",
    }
)
def apply(
    c: Context,
    env: str | None = None,
    stack: str | None = None,
    model: int = 0,
    endpoint: str | None = None,
    plan: str | None = None,
    json: bool = False,
) -> None:
    """Plan and apply a stack, or both; with --plan, apply exactly the saved plans."""
    from ops.terraform import stacks
    from pipeline import deploy, foundation, saved_plans

    stages: list[Stage] = []
    if plan:
        reason = f"the plan in {plan} already says which stacks, model and endpoint"
        refuse_unused(stack=stack, model=model, endpoint=endpoint, reason=reason)
        emit(saved_plans.apply(connect(env), Path(plan), stages), json)
        return exit_with(console.ending(stages))
    if stack and stacks.check_name(stack) != "serving":
        refuse_unused(model=model, endpoint=endpoint, reason=ONLY_SERVING)
    environment = connect(env)
    if stack == "serving":
        return finish(deploy.run(environment, model or None, endpoint), json)
    if stack == "access":
        return emit({"access": foundation.apply_access(environment)}, json)
    changed = {"foundation": foundation.apply(environment, stages)}
    if not stack:
        changed["serving"] = deploy.run(environment, model or None, endpoint, stages=stages)["changes"]
    emit(changed, json)
    exit_with(console.ending(stages))


@operator_task(help={**ENV, **JSON, **STACK, **ENDPOINT, **confirm.YES})
def destroy(
    c: Context,
    env: str | None = None,
    stack: str | None = None,
    endpoint: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Destroy a stack; without --stack, an endpoint's stack and then the foundation. `down` also removes what Terraform does not manage."""
    from ops.terraform import stacks
    from pipeline import teardown

    chosen = [stacks.check_name(stack)] if stack else ["serving", "foundation"]
    if "serving" not in chosen:
        refuse_unused(endpoint=endpoint, reason=ONLY_SERVING)
    target = settings.load(env)
    what = f"destroy {' and '.join(chosen)} of environment {target.environment}"
    confirm.check(target, yes, what)

    def approve(planned: Removal) -> None:
        planned.show(f"To be destroyed in {target.environment}")
        confirm.ask(target, yes, what)

    emit(teardown.destroy(connect(env), chosen, endpoint, approve), json)
