"""`./inv check` on this repository: every gate passes; table, JSON, SARIF and JUnit agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli import embedded
from ops.checks.gates import GATES
from ops.console import Step
from ops.terraform import stacks
from pipeline.plan_from_scratch import ON_DEMAND, plan_from_scratch
from tests.environments import with_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUN = 'import sys; sys.path[0] = sys.argv[1]; from cli.program import program; program.run(["inv", "-r", *sys.argv[1:]])'


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Run `./inv check` with reports. Returns the process, the folder of the reports and the work folder."""
    work, reports = tmp_path_factory.mktemp("check"), tmp_path_factory.mktemp("reports") / "new"
    cache = ROOT / ".work" / "check" / "mypy"  # that of `./inv check`, without which mypy takes half a minute
    cache.mkdir(parents=True, exist_ok=True)
    (work / "check").mkdir()
    (work / "check" / "mypy").symlink_to(cache)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            RUN,
            str(ROOT),
            "check",
            "--env",
            "prod",
            "--json",
            "--report-dir",
            str(reports),
        ],
        cwd=ROOT,
        env={**os.environ, "INV_WORK": str(work), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    return done, reports, work


def test_this_repository_passes_every_gate(checked):
    done, _, _ = checked
    assert done.returncode == 0, done.stderr
    ran = {gate["gate"]: gate for gate in json.loads(done.stdout)["gates"]}
    assert set(ran) == set(GATES) - {"tests"}
    assert all(gate["passed"] and gate["examined"] for gate in ran.values())
    assert all(finding["reason"] for gate in ran.values() for finding in gate["findings"])


def test_every_policy_of_the_plans_is_known(checked):
    plans = {path.stem: json.loads(path.read_text()) for path in (checked[2] / "check/plans").glob("*.json")}
    assert set(plans) == {*stacks.NAMES, *(name.replace("/", "-") for name in ON_DEMAND)}
    for name, plan in plans.items():
        roles = [c for c in plan["resource_changes"] if c["type"] == "aws_iam_role_policy"]
        assert bool(roles) == (name != "training_host")  # its role is the foundation's
        assert all("Statement" in json.loads(c["change"]["after"]["policy"]) for c in roles)


def test_host_and_each_kind_of_workbench_are_planned_separately(checked):
    made = {
        name: {
            c["type"]
            for c in json.loads((checked[2] / f"check/plans/{name}.json").read_text())["resource_changes"]
        }
        for name in ("training_host", "workbench-studio", "workbench-notebook")
    }
    assert {name for name, types in made.items() if "aws_instance" in types} == {"training_host"}
    assert {name for name, types in made.items() if "aws_sagemaker_space" in types} == {"workbench-studio"}
    assert {name for name, types in made.items() if "aws_sagemaker_notebook_instance" in types} == {
        "workbench-notebook"
    }


def test_plans_of_a_private_network_use_its_subnets(monkeypatch, tmp_path, dev):
    private = with_settings(dev, network={"vpc": True}).settings
    monkeypatch.setattr("ops.terraform.stack.WORK", tmp_path / "work")
    with Step("plan") as step, embedded.scratch_account(private, tmp_path / "aws", step) as env:
        ((_, plan),) = plan_from_scratch(env, ["training_host"], step)
    (host,) = (c["change"]["after"] for c in plan["resource_changes"] if c["type"] == "aws_instance")
    assert host["subnet_id"].startswith("subnet-") and not host["associate_public_ip_address"]


def test_the_reports_agree_with_the_result(checked):
    done, reports, _ = checked
    found = [f for gate in json.loads(done.stdout)["gates"] for f in gate["findings"]]
    (run,) = json.loads((reports / "check.sarif").read_text())["runs"]
    assert len(run["results"]) == len(found) > 0
    assert all(result["suppressions"] for result in run["results"])
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        source = ROOT / place["artifactLocation"]["uri"]
        assert 1 <= place["region"]["startLine"] <= len(source.read_text().splitlines())
    suites = ElementTree.parse(reports / "check.xml").getroot()
    assert {suite.get("name"): suite.get("failures") for suite in suites} == dict.fromkeys(
        set(GATES) - {"tests"}, "0"
    )


def test_nothing_is_left_running(checked):
    assert not (checked[2] / "check" / "aws").exists()
