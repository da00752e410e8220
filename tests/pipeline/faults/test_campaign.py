"""A short campaign: Terraform is killed while it creates the foundation; the next run finishes it."""

from __future__ import annotations

import re

import pytest

from cli.fault_account import FaultAccount
from ops import settings
from ops.console import Step
from ops.paths import ROOT
from pipeline.faults import kills, processes
from pipeline.faults.campaign import Campaign
from pipeline.faults.case import NOTHING, SUCCEEDS, Moment
from pipeline.faults.inventory import differences, take
from pipeline.faults.lab import Lab
from pipeline.faults.stages import FOUNDATION

TEXT = re.sub(r"(?m)^embedded_aws = true\n", "", (ROOT / "environments" / "local.toml").read_text())


@pytest.fixture
def lab(tmp_path):
    found = settings.parse(TEXT, "faults", "local.toml")
    account = FaultAccount(tmp_path / "lab" / "aws", found.region)
    linked = ("embedded_aws", ".venv")
    with Lab(tmp_path / "lab", tmp_path / "states", account, found, TEXT, linked, role="") as opened:
        yield opened
    assert processes.of(opened.work) == []


class Kill(kills.Kill):
    """A kill without the second plan, which takes as long as the rest of a short test. ./inv faults makes it."""

    def problems(self, lab, references):
        return differences(references(self.last).inventory, take(lab.env))


@pytest.mark.slow
def test_a_killed_terraform_loses_nothing(lab):
    kill = Kill(
        fault="kill -9", stage=FOUNDATION, victims=(kills.TERRAFORM,), moment=Moment(0.5, by_steps=True)
    )
    with Step("faults") as step:
        (row,) = Campaign([lab], step).run([kill])
    assert (row.lost, row.next_run) == (NOTHING, SUCCEEDS), row
    assert "before the kill" not in row.message
