"""The private network of training jobs and endpoints."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator, model_validator

from ops.settings.section import Section


class NetworkSettings(Section):
    """Where containers run, and what passes between them. They never have a network of their own beyond it: training
    jobs and endpoints run with network isolation, everywhere.

    vpc: in private subnets of a VPC without internet; its interface endpoints bill by zone and hour. cidr: its addresses.
    availability_zones: to choose from, in order; empty: those of the region. zone_count: how many get a subnet.
    flow_logs: whether its traffic is recorded. encrypt_traffic: encrypt what a training job's instances tell each other,
    which takes time; in a VPC it is always so.
    """

    vpc: bool = False
    cidr: str = "10.40.0.0/20"
    availability_zones: list[str] = Field([])
    zone_count: int = Field(2, ge=2, le=6)
    flow_logs: bool = True
    encrypt_traffic: bool = False

    @field_validator("cidr")
    @classmethod
    def _private(cls, cidr: str) -> str:
        try:
            network = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            raise ValueError(
                f"{error}: give the first address and 16 to 24 bits, such as 10.40.0.0/20"
            ) from error
        blocks = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
        if not 16 <= network.prefixlen <= 24 or not any(network.subnet_of(block) for block in blocks):
            raise ValueError(
                "choose 16 to 24 bits within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as 10.40.0.0/20"
            )
        return cidr

    @model_validator(mode="after")
    def _enough_zones(self):
        if self.availability_zones and len(set(self.availability_zones)) < self.zone_count:
            raise ValueError(
                f"availability_zones names {len(set(self.availability_zones))} and zone_count is {self.zone_count}: "
                "name as many, or leave the list out"
            )
        return self

    @property
    def encrypts_traffic(self) -> bool:
        """Whether instances of one training job encrypt what they tell each other."""
        return self.vpc or self.encrypt_traffic
