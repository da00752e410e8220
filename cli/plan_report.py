"""`./inv plan --report`: what a pull request should know of the plans, and whether its gates let it pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cli.saved_plans import save_plans
from cli.task import environment
from ops import settings as environments
from ops.console import Step, emit, say
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from pipeline.plan_from_scratch import plans_as_new
from pipeline.plans import each_plan

AS_NEW = (
    "Planned **without credentials**, as if nothing existed: all that the environment needs counts as new. "
    "Destroys, new permissions and costs are judged where there is an account to compare with."
)
COMPARING = ("destroy", "replace", "new-permission", "cost>")


def plan_with_report(
    env: str | None,
    chosen: Sequence[str],
    model: int,
    endpoint: str | None,
    file: str | None,
    fail_on: str | None,
    json: bool,
    save: str | None = None,
) -> None:
    """Plan, write the report, judge; keep the plan if it passes. Raises OperatorError if a gate says no."""
    from ops.aws import is_signed_in
    from ops.checks import checkov, venv
    from ops.plan_report import gates, markdown
    from ops.plan_report.build import stack_plan

    wanted = gates.parse(fail_on or "")
    settings = environments.load(env)
    as_new = not settings.embedded_aws and not is_signed_in()
    if as_new and save:
        raise OperatorError(
            f"--save {save}: without credentials the plan is made as if nothing existed, and cannot be applied. Sign in, "
            "or leave --save out."
        )
    with Step("checkov") as step:
        python = venv.python(step)
        step.note = "its environment is there"
    made = {}
    skipped: list[markdown.StackPlan] = []
    with Step("plan") as step:
        if as_new:
            contents = dict(plans_as_new(settings, chosen, WORK / "plan_report" / "aws", step))
        else:
            settings = environment(env)
            contents = {}
            for item in each_plan(settings, chosen, model, endpoint, step):
                if item.root is None or item.plan is None:
                    skipped.append(markdown.StackPlan(item.stack, skipped=item.skipped))
                else:
                    contents[item.stack] = item.root.show(item.plan)
                    made[item.stack] = (item.root, item.plan)
        plans = []
        for name, content in contents.items():
            step(f"checkov on the plan of {name}")
            findings = checkov.plan(ROOT, python, name, content, WORK / "plan_report").open
            plans.append(stack_plan(name, content, findings))
        step.note = ", ".join(f"{plan.stack}: {len(plan.changes)} changes" for plan in plans)
    text = markdown.render(settings.environment, [*plans, *skipped], [AS_NEW] if as_new else [])
    if file:
        Path(file).write_text(text)
        say(f"Report: {file}")
    judged = [gate for gate in wanted if not (as_new and gate.startswith(COMPARING))]
    reasons = gates.reasons(judged, plans)
    if save and not reasons:
        save_plans(settings, Path(save), made, endpoint)
    emit(
        {
            "report": file,
            "as_new": as_new,
            "reasons": reasons,
            "changes": {p.stack: len(p.changes) for p in plans},
        },
        json,
    )
    if reasons:
        raise OperatorError(f"--fail-on: this plan {'; it '.join(reasons)}.")
