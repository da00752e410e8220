"""Section [network] of an environment: valid values are accepted, invalid ones are refused."""

import pytest
from pydantic import ValidationError

from ops.settings.network import NetworkSettings


def test_by_default_there_is_no_vpc_and_no_traffic_encryption():
    settings = NetworkSettings()
    assert not settings.vpc and not settings.encrypts_traffic


@pytest.mark.parametrize("choice", [{"vpc": True}, {"encrypt_traffic": True}])
def test_traffic_between_instances_is_encrypted_in_a_vpc_or_on_request(choice):
    assert NetworkSettings(**choice).encrypts_traffic


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "172.31.255.0/24", "192.168.16.0/20"])
def test_private_ranges_are_accepted(cidr):
    assert NetworkSettings(cidr=cidr).cidr == cidr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cidr": "10.40.0.1/20"}, "has host bits set: give the first address"),
        ({"cidr": "ten"}, "a prefix of /16 to /24, such as 10.40.0.0/20"),
        ({"cidr": "10.0.0.0/8"}, "choose a /16 to /24 range"),
        ({"cidr": "10.0.0.0/25"}, "choose a /16 to /24 range"),
        ({"cidr": "8.8.0.0/16"}, "within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"),
        ({"zone_count": 1}, "greater than or equal to 2"),
        ({"availability_zones": ["us-east-1a"]}, "names 1 zones and zone_count is 2"),
        ({"availability_zones": ["us-east-1a", "us-east-1a"]}, "names 1 zones and zone_count is 2"),
    ],
)
def test_invalid_values_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        NetworkSettings(**wrong)
