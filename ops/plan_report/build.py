"""Build the report on one stack from its plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ops.checks.findings import Finding
from ops.plan_report import cost, permissions, resources
from ops.plan_report.markdown import StackPlan


def stack_plan(stack: str, plan: dict[str, Any], findings: Sequence[Finding] = ()) -> StackPlan:
    """Return changes, permissions and cost of a plan.

    plan: output of `terraform show -json`.
    findings: open findings of checkov on it.
    """
    return StackPlan(
        stack,
        resources.changes(plan),
        permissions.difference(plan),
        cost.estimate(resources.before(plan)),
        cost.estimate(resources.after(plan)),
        findings,
    )
