"""The output and the exit status of `./inv check`, with fake gates."""

from __future__ import annotations

import contextlib
import json

import pytest

from cli import embedded
from cli.program import Inv
from ops import console, paths
from ops.checks import gates, venv
from ops.checks.findings import Finding, Result
from ops.errors import OperatorError
from ops.terraform import stacks
from pipeline import check

CHECK_PLANS = check._check_plans
OPEN = Finding("CKV_AWS_18", "no access log", "add one", "terraform/a/main.tf", 7)
SUPPRESSED = OPEN.suppressed("the local run needs it")


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, dev):
    """Return a function that runs the task with fake results and returns exit code, standard output and error."""
    monkeypatch.setattr(check, "WORK", tmp_path)
    monkeypatch.setattr(venv, "python", lambda progress: tmp_path)
    console.console.cache_clear()

    monkeypatch.setattr(embedded, "scratch_account", lambda *_: contextlib.nullcontext(dev))

    def run(results: list[Result], *arguments: str, plans=lambda *_: None):
        started = []

        class FakeGates(gates.Gates):
            def start(self, *, tests=False):
                started.append(tests)
                for result in results:
                    self._start(result.gate, lambda result=result: result)

        monkeypatch.setattr(gates, "Gates", FakeGates)
        monkeypatch.setattr(check, "_check_plans", plans)
        with pytest.raises(SystemExit) as ended:
            Inv(name="inv", binary="inv", version="1").run(
                ["inv", "-r", str(paths.ROOT), "check", *arguments]
            )
            raise SystemExit(0)
        return (ended.value.code or 0, *capsys.readouterr(), started)

    yield run
    console.console.cache_clear()


def test_a_finding_is_printed_with_location_and_fix_and_fails_the_task(run, tmp_path):
    results = [Result("source", 40, (OPEN, SUPPRESSED)), Result("format", 9)]
    code, out, error, started = run(results, "--json", "--report-dir", str(tmp_path / "reports"))
    assert (code, started) == (1, [False])
    assert "terraform/a/main.tf:7: source: CKV_AWS_18: no access log\n    add one\n" in error
    assert error.rstrip().endswith(
        "inv: 1 findings: the lines above give each with its location and its fix."
    )
    assert {gate["gate"]: gate["passed"] for gate in json.loads(out)["gates"]} == {
        "source": False,
        "format": True,
    }
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["check.sarif", "check.xml"]
    table = {line.split("│")[1].strip(): line for line in error.splitlines() if line.startswith("│")}
    assert "FAILED" in table["source"] and "passed" in table["format"]


def test_a_suppressed_finding_does_not_fail_the_task(run):
    code, out, _, started = run([Result("source", 40, (SUPPRESSED,))], "--tests")
    assert (code, out, started) == (0, "", [True])


def test_a_failed_plan_fails_its_gate_and_the_others_are_still_reported(run, monkeypatch):
    def refused(*_, **__):
        raise OperatorError("terraform plan of access failed: no such variable")

    monkeypatch.setattr(stacks, "access", refused)
    code, _, error, _ = run([Result("format", 9)], "--stack", "access", plans=CHECK_PLANS)
    assert code == 1
    assert "terraform:1: plan: did not run: terraform plan of access failed: no such variable\n" in error
    assert "terraform/access:1: plan: did not run: the plan of access was not checked\n" in error
    assert "│ format" in error


def test_a_stack_that_is_not_planned_fails_the_gate(run, monkeypatch):
    monkeypatch.setattr(stacks, "NAMES", ("another",))
    monkeypatch.setattr(check, "ON_DEMAND", ())
    code, _, error, _ = run([Result("format", 9)], plans=CHECK_PLANS)
    assert code == 1
    assert "terraform/another:1: plan: did not run: the plan of another was not checked\n" in error
