"""`./inv check`: Terraform and the policies against every gate, without an account."""

from __future__ import annotations

import contextlib
import fcntl
import json as jsons
import os
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


@operator_task(
    help={
        **ENV,
        **JSON,
        "stack": "plan only this stack: foundation or serving",
        "tests": "also run terraform test, of every module and root (a minute more)",
        "report-dir": "write check.sarif and check.xml (JUnit) to this folder",
    }
)
def check(c, env=None, stack=None, tests=False, report_dir=None, json=False):
    """Hold Terraform and the policies against every gate: format, validity, checkov, policy linters. No account needed."""
    from ops import stacks
    from ops.checks import environment, gates, reports

    began = time.monotonic()
    settings = environments.load(env)
    chosen = [stacks.check_name(stack)] if stack else list(stacks.NAMES)
    with Step("checkov") as step:
        python = environment.python(step)
        step.note = "its environment is there"
    with Step("gates") as step, _alone(step), gates.Gates(ROOT, WORK / "check", python) as running:
        running.start(tests=tests)
        _plans(settings, chosen, running, step)
        step("waiting for the last gates")
        results = running.results()
        step.note = f"{sum(r.examined for r in results):,} things examined for {settings.environment}"
    console.table(
        "Gates",
        ["gate", "what", "result", "examined", "findings", "excused", "seconds"],
        [
            (r.gate, gates.GATES[r.gate], "passed" if r.passed else "FAILED", r.examined, len(r.open), len(r.excused), f"{r.seconds:.1f}")
            for r in results
        ],
    )  # fmt: skip
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
        raise OperatorError(f"{len(found)} findings: each line above says where, what, and what to do.")


def _plans(settings, chosen: list[str], running, step) -> None:
    """Plan the stacks of an environment as if nothing existed, on an embedded AWS that knows nothing, and check them."""
    from ops import stacks
    from ops.aws import account_id, client
    from ops.checks import plans
    from ops.checks.findings import Finding

    with _scratch_aws(settings, step):
        try:
            step("planning foundation")
            stack = stacks.foundation(settings, step, plan_only=True)
            planned = stack.show(stack.plan())
            if "foundation" in chosen:
                running.start_plan("foundation", planned)
            if "serving" in chosen:
                step("planning serving")
                # As an apply of the foundation would have published it.
                client("ssm", settings.region).put_parameter(
                    Name=f"/{settings.project}/{settings.environment}/foundation",
                    Type="String",
                    Value=jsons.dumps(plans.handover(planned)),
                )
                package = f"arn:aws:sagemaker:{settings.region}:{account_id(settings.region)}:model-package/{settings.prefix}/1"
                stack = stacks.serving(settings, settings.prefix, package, step)
                running.start_plan("serving", stack.show(stack.plan()))
        except OperatorError as error:
            finding = Finding("did not run", str(error), "mend that and check again", "terraform")
            running.fail("plan", finding)


@contextlib.contextmanager
def _scratch_aws(settings, step) -> Iterator[None]:
    """This process pointed at an embedded AWS of its own, whatever the environment: a plan as new needs no account."""
    from local_aws import daemon

    home = WORK / "check" / "aws"
    daemon.destroy(home)  # of a check that was killed
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    try:
        step("starting an embedded AWS to plan on")
        daemon.start(home)
        _set_aws_variables(daemon.variables(home, settings.region))
        yield
    finally:
        _set_aws_variables(before)
        daemon.destroy(home)


def _set_aws_variables(variables: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)


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
