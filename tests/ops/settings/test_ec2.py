"""The settings of the training host, and the command line options that override them."""

import pytest

from ops.errors import OperatorError
from ops.settings.ec2 import HostSettings, chosen


def test_options_of_the_command_line_override_the_settings():
    assert chosen(HostSettings(), None, False) == HostSettings()
    assert chosen(HostSettings(spot=True), "g5.xlarge", False) == HostSettings(
        instance_type="g5.xlarge", spot=True
    )


@pytest.mark.parametrize("kind", ["ml.t3.medium", "t3", "medium", "t3.medium; rm", "T3.medium"])
def test_an_invalid_instance_type_is_refused(kind):
    with pytest.raises(OperatorError, match=r"is not an EC2 instance type: give one such as t3\.medium"):
        chosen(HostSettings(), kind, False)
