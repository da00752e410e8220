"""`./inv plan --report`: what it writes, when it fails, and that it needs no account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cli import plan_report
from ops import aws, console, paths, settings
from ops.checks import checkov, venv
from ops.checks.findings import Finding, Result
from ops.errors import OperatorError
from pipeline import plans
from tests.ops.plan_report.kit import plan, resource, role_policy

KEY = resource("aws_kms_key")
READ = role_policy({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures/*"})


@pytest.fixture
def report(monkeypatch, tmp_path, capsys):
    """Writes the report of pretended plans of dev; gives its text and what went to standard output."""
    monkeypatch.setattr(venv, "python", lambda progress: tmp_path)
    monkeypatch.setattr(checkov, "plan", lambda root, python, name, content, work: Result("plan", 1, ()))

    console.console.cache_clear()

    def run(planned: list[plans.Planned], fail_on: str | None = None, signed_in: bool = True, save=None):
        monkeypatch.setattr(aws, "is_signed_in", lambda: signed_in)
        monkeypatch.setattr(plan_report, "environment", settings.load)
        monkeypatch.setattr(plan_report, "each_plan", lambda *_: iter(planned))
        as_new = [(item.stack, item.root.show(item.plan)) for item in planned if item.plan]
        monkeypatch.setattr(plan_report, "plans_as_new", lambda *_: iter(as_new))
        file = tmp_path / "plan.md"
        plan_report.plan_with_report(
            "dev", ["foundation", "serving"], 0, None, str(file), fail_on, True, save
        )
        return file.read_text(), json.loads(capsys.readouterr().out)

    yield run
    console.console.cache_clear()


def planned(stack: str, before: list, after: list) -> plans.Planned:
    return plans.Planned(stack, SimpleNamespace(show=lambda _: plan(before, after)), SimpleNamespace())


def test_every_stack_is_told_also_the_one_that_cannot_be_planned_yet(report):
    text, out = report([planned("foundation", [], [KEY]), plans.Planned("serving", skipped="No model yet.")])
    assert "| `foundation` |  |  |  | 1 |" in text
    assert "> `serving` is not planned: No model yet." in text
    assert out["changes"] == {"foundation": 1}
    assert (out["as_new"], out["reasons"]) == (False, [])


def test_a_plan_is_kept_if_it_passes_and_was_compared_with_an_account(report, monkeypatch, capsys):
    kept = []
    monkeypatch.setattr(
        plan_report, "save_plans", lambda settings, folder, made, _: kept.append((folder, [*made]))
    )
    destroying = [planned("foundation", [KEY], []), plans.Planned("serving", skipped="No model yet.")]
    with pytest.raises(OperatorError, match="destroys"):
        report(destroying, "destroy", save="saved")
    with pytest.raises(
        OperatorError, match=r"--save saved: without credentials .* Sign in, or leave --save out"
    ):
        report(destroying, signed_in=False, save="saved")
    assert kept == []
    capsys.readouterr()
    report(destroying, save="saved")
    assert [(str(folder), stacks) for folder, stacks in kept] == [("saved", ["foundation"])]


def test_a_gate_stops_it_after_the_report_is_written(report, tmp_path):
    with pytest.raises(
        OperatorError, match=r"--fail-on: this plan destroys aws_kms_key.this; it grants new permissions"
    ):
        report([planned("foundation", [KEY], [READ])], "destroy,new-permission")
    assert "**destroys** `aws_kms_key.this` (foundation)" in (tmp_path / "plan.md").read_text()


def test_findings_of_the_plan_are_in_it_and_stop_it(report, monkeypatch, tmp_path):
    finding = Finding("CKV_AWS_7", "key without rotation", "turn it on", "terraform/modules/key/main.tf", 3)
    monkeypatch.setattr(
        checkov, "plan", lambda *_: Result("plan", 1, (finding, finding.suppressed("so be it")))
    )
    with pytest.raises(OperatorError, match="has findings"):
        report([planned("foundation", [], [KEY])], "finding")
    assert (tmp_path / "plan.md").read_text().count("CKV_AWS_7") == 1


def test_without_credentials_nothing_is_compared_and_that_is_said(report):
    text, out = report([planned("foundation", [], [READ])], "new-permission,cost>0", signed_in=False)
    assert plan_report.AS_NEW in text
    assert (out["as_new"], out["reasons"]) == (True, [])


def test_a_gate_that_does_not_exist_is_refused_before_anything_is_planned(report):
    with pytest.raises(OperatorError, match="unknown gate"):
        report([], "destory")


@pytest.mark.slow
def test_a_fork_gets_a_report_of_the_whole_of_prod(tmp_path):
    """By the command, with no credentials, no account, and no file of this user's."""
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
