"""Ids of EC2 resources: hexadecimal digits from one random number. moto draws each digit, 45,000 for AWS's images."""

from __future__ import annotations

from moto.moto_api._internal import mock_random


def random_resource_id(size: int = 8) -> str:
    """Return hexadecimal digits for an id, e.g. "0a1b2c3d"."""
    return f"{mock_random.getrandbits(4 * size):0{size}x}"
