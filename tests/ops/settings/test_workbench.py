"""The section [workbench] of an environment: defaults that agree with Terraform's, and what is refused."""

import re

import pytest
from pydantic import ValidationError

from ops import settings as environments
from ops.paths import ROOT
from ops.settings.workbench import WorkbenchSettings


def test_the_defaults_are_terraform_s():
    text = (ROOT / "terraform" / "workbench" / "variables.tf").read_text()
    (block,) = re.findall(r'^variable "workbench" \{\n(.*?)^\}', text, re.M | re.S)
    declared = dict(re.findall(r"(\w+)\s+= optional\(\w+, (.+)\)", block))
    told = WorkbenchSettings().model_dump()
    assert (
        declared["kind"] == f'"{told["kind"]}"' and declared["instance_type"] == f'"{told["instance_type"]}"'
    )
    assert int(declared["volume_size_gb"]) == told["volume_size_gb"]
    assert int(declared["idle_minutes"]) == told["idle_minutes"]
    assert declared["internet_access"] == str(told["internet"]).lower() == "false"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "jupyter"}, "'studio' or 'notebook'"),
        ({"instance_type": "t3.medium"}, "should match pattern"),
        ({"volume_size_gb": 4}, "greater than or equal to 5"),
        ({"idle_minutes": 30}, "greater than or equal to 60"),
        ({"idle_minutes": 1441}, "less than or equal to 1440"),
    ],
)
def test_wrong_values_are_refused(wrong, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        WorkbenchSettings(**wrong)


@pytest.mark.parametrize("name", environments.names())
def test_only_the_rehearsal_reaches_the_internet_unasked(name):
    """It has no private network, nor a network at all."""
    assert environments.load(name).workbench.internet == (name == "local")
