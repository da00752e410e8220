"""The private network of training jobs and endpoints."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator, model_validator

from ops.settings.section import Section

PRIVATE_BLOCKS = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


class NetworkSettings(Section):
    """Network of training jobs and endpoints. Their containers always run with network isolation."""

    vpc: bool = Field(
        False,
        description="Run in private subnets of a VPC without internet access. Its interface endpoints bill per zone and hour.",
    )
    cidr: str = Field("10.40.0.0/20", description="Private IPv4 range of the VPC, /16 to /24.")
    availability_zones: list[str] = Field(
        [], description="Availability Zones to use, in order. Empty: those of the region."
    )
    zone_count: int = Field(2, ge=2, le=6, description="Number of Availability Zones with a subnet.")
    flow_logs: bool = Field(True, description="Record the VPC's traffic in flow logs.")
    encrypt_traffic: bool = Field(
        False,
        description="Encrypt traffic between the instances of a training job, which slows it down. Always on in a VPC.",
    )

    @field_validator("cidr")
    @classmethod
    def _check_private(cls, cidr: str) -> str:
        try:
            network = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            raise ValueError(
                f"{error}: give the first address and a prefix of /16 to /24, such as 10.40.0.0/20"
            ) from error
        if not 16 <= network.prefixlen <= 24 or not any(network.subnet_of(block) for block in PRIVATE_BLOCKS):
            raise ValueError(
                "choose a /16 to /24 range within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as 10.40.0.0/20"
            )
        return cidr

    @model_validator(mode="after")
    def _check_zones(self) -> NetworkSettings:
        named = len(set(self.availability_zones))
        if self.availability_zones and named < self.zone_count:
            raise ValueError(
                f"availability_zones names {named} zones and zone_count is {self.zone_count}: name at least as many, "
                "or remove the list"
            )
        return self

    @property
    def encrypts_traffic(self) -> bool:
        """Whether traffic between the instances of a training job is encrypted."""
        return self.vpc or self.encrypt_traffic
