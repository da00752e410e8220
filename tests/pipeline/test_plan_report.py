"""`./inv plan --report`: what it writes, when it fails, and that it needs no account."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops import console, paths
from ops.checks import checkov, venv
from ops.checks.findings import Finding, Result
from ops.errors import OperatorError
from ops.plan_report import gates
from pipeline import plan_report, plans, saved_plans
from tests.ops.plan_report.kit import plan, resource, role_policy

KEY = resource("aws_kms_key")
READ = role_policy({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures/*"})


def scanned(root, python, contents, work, findings=()):
    """Return the same findings for every plan, as `checkov.plan`."""
    return {name: Result("plan", 1, findings) for name in contents}


@pytest.fixture
def report(monkeypatch, tmp_path, dev):
    """Return a function that writes the report of fake plans of dev, and returns its text and result."""
    monkeypatch.setattr(venv, "python", lambda progress: tmp_path)
    monkeypatch.setattr(checkov, "plan", scanned)
    console.console.cache_clear()

    def run(planned: list[plans.Planned], fail_on: str = "", signed_in: bool = True, save=None):
        monkeypatch.setattr(plan_report, "each_plan", lambda *_: iter(planned))
        contents = [(item.name, item.stack.show(item.plan)) for item in planned if item.plan]
        monkeypatch.setattr(plan_report, "plan_from_scratch", lambda *_: iter(contents))
        file = tmp_path / "plan.md"
        request = plan_report.Request(
            chosen=["foundation", "serving"],
            file=file,
            fail_on=gates.parse(fail_on),
            save=save and Path(save),
        )
        if signed_in:
            result, problem = plan_report.of_account(dev, request)
        else:
            scratch = lambda step: contextlib.nullcontext(dev)  # noqa: E731
            result, problem = plan_report.from_scratch("dev", scratch, request)
        return file.read_text(), result, problem

    yield run
    console.console.cache_clear()


def planned(name: str, before: list, after: list) -> plans.Planned:
    return plans.Planned(name, SimpleNamespace(show=lambda _: plan(before, after)), SimpleNamespace())


def test_every_stack_is_reported_also_one_that_cannot_be_planned(report):
    text, result, problem = report(
        [planned("foundation", [], [KEY]), plans.Planned("serving", skipped="No model yet.")]
    )
    assert "| `foundation` |  |  |  | 1 |" in text
    assert "> `serving` is not planned: No model yet." in text
    assert result["changes"] == {"foundation": 1}
    assert (result["from_scratch"], result["reasons"], problem) == (False, [], "")


def test_plans_are_saved_if_they_pass_and_were_made_in_an_account(report, monkeypatch):
    kept = []
    monkeypatch.setattr(saved_plans, "save", lambda env, folder, made, _: kept.append((folder, [*made])))
    destroying = [planned("foundation", [KEY], []), plans.Planned("serving", skipped="No model yet.")]
    assert "destroys" in report(destroying, "destroy", save="saved")[2]
    with pytest.raises(OperatorError, match=r"--save saved: without credentials .* Sign in, or omit --save"):
        report(destroying, signed_in=False, save="saved")
    assert kept == []
    report(destroying, save="saved")
    assert [(str(folder), stacks) for folder, stacks in kept] == [("saved", ["foundation"])]


def test_the_report_is_written_also_if_a_gate_does_not_pass(report):
    text, result, problem = report([planned("foundation", [KEY], [READ])], "destroy,new-permission")
    assert problem.startswith("--fail-on: this plan destroys aws_kms_key.this; it grants new permissions")
    assert "**destroys** `aws_kms_key.this` (foundation)" in text
    assert len(result["reasons"]) == 2


def test_findings_of_a_plan_are_reported_and_do_not_pass(report, monkeypatch):
    finding = Finding("CKV_AWS_7", "key without rotation", "turn it on", "terraform/modules/key/main.tf", 3)
    both = (finding, finding.suppressed("not needed here"))
    monkeypatch.setattr(checkov, "plan", lambda *arguments: scanned(*arguments, findings=both))
    text, _, problem = report([planned("foundation", [], [KEY])], "finding")
    assert "has findings" in problem
    assert text.count("CKV_AWS_7") == 1


def test_without_credentials_nothing_is_compared_and_the_report_says_so(report):
    text, result, problem = report(
        [planned("foundation", [], [READ])], "new-permission,cost>0", signed_in=False
    )
    assert plan_report.FROM_SCRATCH in text
    assert (result["from_scratch"], result["reasons"], problem) == (True, [], "")


@pytest.mark.parametrize("signed_in", [True, False])
def test_an_unknown_gate_is_refused_before_anything_is_planned(report, signed_in):
    with pytest.raises(OperatorError, match="destory"):
        report([], "destory", signed_in)


@pytest.mark.slow
def test_a_fork_gets_a_complete_report_of_prod(tmp_path):
    """By the command, without credentials, account or files of this user."""
    keep = {"PATH", "TF_PLUGIN_DIR", "PIP_INDEX_URL", "LANG"}
    bare = {name: value for name, value in os.environ.items() if name in keep}
    run = "import sys; from cli.program import program; program.run(['inv', *sys.argv[1:]])"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            run,
            "plan",
            "--env",
            "prod",
            "--report",
            str(tmp_path / "plan.md"),
            "--fail-on",
            "finding",
        ],
        cwd=paths.ROOT,
        env={
            **bare,
            "HOME": str(tmp_path),
            "INV_WORK": str(tmp_path / "work"),
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "plan.md").read_text()
    assert "without credentials" in text
    assert "| `image-classifier-prod-inference` | `sagemaker:InvokeEndpoint` |" in text
    assert "1 to 3 × ml.m5.large" in text
    assert "Unknown price" not in text
    assert "checkov reports none." in text
