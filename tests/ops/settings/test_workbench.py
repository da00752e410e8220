"""Section [workbench] of an environment: valid values are accepted, invalid ones are refused."""

import re

import pytest
from pydantic import ValidationError

from ops import settings as environments
from ops.settings.workbench import WorkbenchSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "jupyter"}, "'studio' or 'notebook'"),
        ({"instance_type": "t3.medium"}, "should match pattern"),
        ({"volume_size_gb": 4}, "greater than or equal to 5"),
        ({"idle_minutes": 30}, "greater than or equal to 60"),
        ({"idle_minutes": 1441}, "less than or equal to 1440"),
    ],
)
def test_invalid_values_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        WorkbenchSettings(**wrong)


@pytest.mark.parametrize("name", environments.names())
def test_only_the_local_environment_has_internet_access(name):
    """It has no VPC."""
    assert environments.load(name).workbench.internet == (name == "local")
