"""The key of an endpoint among those of all accounts and regions."""

from typing import NamedTuple


class EndpointKey(NamedTuple):
    account: str
    region: str
    name: str
