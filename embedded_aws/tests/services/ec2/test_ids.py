"""Ids of EC2 resources have the digits that moto's have."""

import re

from embedded_aws.services.ec2.ids import random_resource_id


def test_an_id_has_as_many_hexadecimal_digits_as_asked_for():
    found = {random_resource_id(17) for _ in range(1000)}
    assert len(found) == 1000 and all(re.fullmatch("[0-9a-f]{17}", identity) for identity in found)
    assert any(identity.startswith("0") for identity in found)
    assert len(random_resource_id()) == 8
