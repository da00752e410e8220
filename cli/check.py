"""The task that checks the repository: `./inv check`."""

from __future__ import annotations

import functools
import time
from dataclasses import asdict
from pathlib import Path

from invoke.context import Context

from cli import embedded
from cli.task import ENV, JSON, Reported, operator_task
from ops import console, settings
from ops.console import emit, say
from ops.paths import WORK


@operator_task(
    help={
        **ENV,
        **JSON,
        "stack": "plan only this stack: access, foundation, serving, training_host or workbench (default: all)",
        "tests": "also run terraform test, of every module and root (a minute more)",
        "report-dir": "write check.sarif and check.xml (JUnit) to this folder",
    }
)
def check(
    c: Context,
    env: str | None = None,
    stack: str | None = None,
    tests: bool = False,
    report_dir: str | None = None,
    json: bool = False,
) -> None:
    """Check Terraform, policies and Python with every gate: format, types, validity, checkov, policy linters. Needs no account."""
    from ops.checks import gates, reports
    from pipeline import check

    began = time.monotonic()
    found = settings.load(env)
    scratch = functools.partial(embedded.scratch_account, found, WORK / "check" / "aws")
    results = check.run(found.environment, scratch, stack, tests=tests)
    rows = [
        (
            result.gate,
            gates.GATES[result.gate],
            "passed" if result.passed else "FAILED",
            result.examined,
            len(result.open),
            len(result.suppressed),
            f"{result.seconds:.1f}",
        )
        for result in results
    ]
    columns = ["gate", "what", "result", "examined", "findings", "suppressed", "seconds"]
    console.table("Gates", columns, rows)
    findings = [(result.gate, finding) for result in results for finding in result.open]
    for gate, finding in findings:
        say(f"{finding.where}: {gate}: {finding.rule}: {finding.what}")
        say(f"    {finding.advice}")
    for path in reports.write(results, Path(report_dir)) if report_dir else ():
        say(f"Report: {path}")
    gate_results = [{**asdict(result), "passed": result.passed} for result in results]
    emit({"seconds": round(time.monotonic() - began, 1), "gates": gate_results}, json)
    if findings:
        raise Reported(f"{len(findings)} findings: the lines above give each with its location and its fix.")
