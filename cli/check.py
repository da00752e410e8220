"""`./inv check`: Terraform and the policies against every gate, without an account."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cli.task import ENV, JSON, operator_task
from ops import console
from ops import settings as environments
from ops.console import Step, emit, say
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from pipeline.plan_from_scratch import ON_DEMAND, WORKBENCHES, plans_as_new


@operator_task(
    help={
        **ENV,
        **JSON,
        "stack": "plan only this stack: access, foundation, serving, training_host or workbench (default: all)",
        "tests": "also run terraform test, of every module and root (a minute more)",
        "report-dir": "write check.sarif and check.xml (JUnit) to this folder",
    }
)
def check(c, env=None, stack=None, tests=False, report_dir=None, json=False):
    """Check Terraform, policies and Python with every gate: format, types, validity, checkov, policy linters. Needs no account."""
    from ops.checks import gates, reports, venv

    began = time.monotonic()
    settings = environments.load(env)
    chosen = _chosen(stack)
    with Step("checkov") as step:
        python = venv.python(step)
        step.note = "installed"
    with Step("gates") as step, _alone(step), gates.Gates(ROOT, WORK / "check", python) as running:
        running.start(tests=tests)
        _plans(settings, chosen, running, step)
        step("waiting for the last gates")
        results = running.results()
        step.note = f"{sum(r.examined for r in results):,} objects examined for {settings.environment}"
    console.table(
        "Gates",
        ["gate", "what", "result", "examined", "findings", "suppressed", "seconds"],
        [
            (
                r.gate,
                gates.GATES[r.gate],
                "passed" if r.passed else "FAILED",
                r.examined,
                len(r.open),
                len(r.suppressed),
                f"{r.seconds:.1f}",
            )
            for r in results
        ],
    )
    found = [(r.gate, finding) for r in results for finding in r.open]
    for gate, finding in found:
        say(f"{finding.where}: {gate}: {finding.rule}: {finding.what}")
        say(f"    {finding.advice}")
    for path in reports.write(results, Path(report_dir)) if report_dir else ():
        say(f"Report: {path}")
    emit(
        {
            "seconds": round(time.monotonic() - began, 1),
            "gates": [{**asdict(result), "passed": result.passed} for result in results],
        },
        json,
    )
    if found:
        raise OperatorError(
            f"{len(found)} findings: the lines above give each with its location and its fix."
        )


def _chosen(stack: str | None) -> list[str]:
    """Return the plans to make: every root's, and one for each kind of workbench. Raises OperatorError if unknown."""
    from ops.terraform import stacks

    if stack is None:
        return [*stacks.NAMES, *ON_DEMAND]
    if stack == "workbench":
        return list(WORKBENCHES)
    if stack not in (*stacks.NAMES, "training_host"):
        choices = ", ".join([*stacks.NAMES, "training_host"])
        raise OperatorError(f"There is no stack {stack!r}: choose {choices} or workbench.")
    return [stack]


def _plans(settings, chosen: list[str], running, step) -> None:
    """Plan stacks of an environment as if nothing existed, and check the plans."""
    from ops.checks.findings import Finding

    left = set(chosen)
    try:
        for name, content in plans_as_new(settings, chosen, WORK / "check" / "aws", step):
            running.start_plan(name, content)
            left.remove(name)
    except OperatorError as error:
        running.fail("plan", Finding("did not run", str(error), "fix the cause and check again", "terraform"))
    for name in sorted(left):
        what = f"the plan of {name} was not checked"
        root = f"terraform/{name.partition('/')[0]}"
        running.fail("plan", Finding("did not run", what, "see that it can be planned", root))


@contextlib.contextmanager
def _alone(step) -> Iterator[None]:
    """One check at a time in a work folder."""
    folder = WORK / "check"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step("waiting for another ./inv check", important=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
