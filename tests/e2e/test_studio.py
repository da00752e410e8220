"""A workbench in SageMaker Studio, through the commands that the operator types, as the operator's role."""

from __future__ import annotations

import time

import pytest

from embedded_aws import client
from tests.e2e.notebook_kit import FOLDER, SECONDS, Workbench
from tests.e2e.pipeline_kit import PREFIX, Pipeline

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.fixture
def inv(tmp_path):
    """An environment with a foundation and no data. The operator runs the commands."""
    pipeline = Pipeline(tmp_path)
    try:
        for role, words in (
            ("", ("apply", "--stack", "access")),
            ("operator", ("apply", "--stack", "foundation")),
        ):
            pipeline.role = role
            applied = pipeline(*words)
            assert applied.code == 0, applied.output
        yield pipeline
    finally:
        client.destroy(pipeline.home)


def test_the_operator_creates_opens_changes_and_removes_a_studio(inv):
    def run(*words: str) -> dict:
        done = inv(*words, "--json")
        assert done.code == 0, done.output
        return done.json

    made = run("workbench.up")
    assert (made["kind"], made["state"]) == ("studio", "stopped")
    bench, deadline = Workbench(run("workbench.open")["url"]), time.monotonic() + SECONDS
    while FOLDER not in bench.kernels():
        assert time.monotonic() < deadline, "the repository's environment is not ready"
        time.sleep(0.2)
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    assert f"assumed-role/{PREFIX}-workbench/" in bench.browser.run(who)
    assert run("workbench.up")["changes"] == []  # what is running keeps running
    assert run("status")["workbench"]["state"] == "InService"
    changed = run("workbench.up", "--instance-type", "ml.t3.large")
    assert changed["repository"] == made["repository"] and changed["changes"]
    assert run("status")["workbench"]["state"] == "stopped"
    assert run("workbench.open")["url"]
    assert run("workbench.down")["removed"]
    sagemaker, groups = inv.root("sagemaker"), inv.root("ec2").describe_security_groups()["SecurityGroups"]
    assert sagemaker.list_domains()["Domains"] == []
    assert [group["GroupName"] for group in groups if "nfs" in group["GroupName"]] == []
    assert inv.root("efs").describe_file_systems()["FileSystems"] == []
    assert run("down") == {"left": []}
