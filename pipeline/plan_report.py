"""The report of a plan for a pull request, and the gates that decide whether it may pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.checks import checkov, venv
from ops.console import Step, say
from ops.environment import Environment
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.plan_report import gates, markdown
from ops.plan_report.build import stack_plan
from pipeline import saved_plans
from pipeline.plan_from_scratch import plan_from_scratch
from pipeline.plans import each_plan

FROM_SCRATCH = (
    "Planned **without credentials**, as if nothing existed: everything in the environment counts as new. "
    "Gates on destroyed resources, new permissions and costs need an account to compare with, and are left out."
)
NEEDS_ACCOUNT = ("destroy", "replace", "new-permission", "cost>")

ScratchAccount = Callable[[Step], contextlib.AbstractContextManager[Environment]]
"""Starts an empty account to plan on."""


@dataclass(frozen=True)
class Request:
    """What to plan and report, as the options of `./inv plan` say.

    chosen: names of stacks.
    file: the Markdown file to write.
    fail_on: gates, as `ops.plan_report.gates.parse` returns them.
    save: the folder for the plans, if they pass.
    """

    chosen: Sequence[str]
    model: int = 0
    endpoint: str | None = None
    file: Path | None = None
    fail_on: Sequence[str] = ()
    save: Path | None = None


def of_account(env: Environment, request: Request) -> tuple[dict[str, Any], str]:
    """Plan, write the report, check the gates, and save the plans if they pass.

    Returns the result for --json, and the sentence of a gate that did not pass, or an empty string.
    """
    python = _checkov()
    contents, made = {}, {}
    skipped: list[markdown.StackPlan] = []
    with Step("plan") as step:
        for item in each_plan(env, request.chosen, request.model, request.endpoint, step):
            if item.stack is None or item.plan is None:
                skipped.append(markdown.StackPlan(item.name, skipped=item.skipped))
            else:
                contents[item.name] = item.stack.show(item.plan)
                made[item.name] = (item.stack, item.plan)
        reported = _scanned(contents, python, step)
    _write(request, env.settings.environment, [*reported, *skipped], [])
    reasons = gates.reasons(request.fail_on, reported)
    if request.save and not reasons:
        saved_plans.save(env, request.save, made, request.endpoint)
    return _result(request, reported, reasons, from_scratch=False)


def from_scratch(name: str, scratch: ScratchAccount, request: Request) -> tuple[dict[str, Any], str]:
    """Do the same without credentials, with plans from scratch. name: of the environment."""
    if request.save:
        raise OperatorError(
            f"--save {request.save}: without credentials the plan is made from scratch, and cannot be applied. Sign in, or "
            "omit --save."
        )
    python = _checkov()
    with Step("plan") as step, scratch(step) as env:
        contents = dict(plan_from_scratch(env, request.chosen, step))
        reported = _scanned(contents, python, step)
    judged = [gate for gate in request.fail_on if not gate.startswith(NEEDS_ACCOUNT)]
    _write(request, name, reported, [FROM_SCRATCH])
    return _result(request, reported, gates.reasons(judged, reported), from_scratch=True)


def _checkov() -> Path:
    with Step("checkov") as step:
        python = venv.python(step)
        step.note = "installed"
    return python


def _scanned(contents: dict[str, dict[str, Any]], python: Path, step: Step) -> list[markdown.StackPlan]:
    """Return the plans with checkov's findings."""
    step("checkov on the plans")
    results = checkov.plan(ROOT, python, contents, WORK / "plan_report")
    reported = [stack_plan(name, content, results[name].open) for name, content in contents.items()]
    step.note = ", ".join(f"{plan.stack}: {len(plan.changes)} changes" for plan in reported)
    return reported


def _write(
    request: Request, environment: str, plans: Sequence[markdown.StackPlan], notes: Sequence[str]
) -> None:
    if request.file:
        request.file.write_text(markdown.render(environment, plans, notes), encoding="utf-8")
        say(f"Report: {request.file}")


def _result(
    request: Request, reported: Sequence[markdown.StackPlan], reasons: list[str], *, from_scratch: bool
) -> tuple[dict[str, Any], str]:
    result = {
        "report": request.file and str(request.file),
        "from_scratch": from_scratch,
        "reasons": reasons,
        "changes": {plan.stack: len(plan.changes) for plan in reported},
    }
    return result, f"--fail-on: this plan {'; it '.join(reasons)}." if reasons else ""
