"""A record of an EC2 instance, without a server."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace


class Host(SimpleNamespace):
    """The part of an instance's record that hosts and their metadata use."""

    def profile(self) -> SimpleNamespace:
        return self.instance_profile

    def get_tags(self) -> list[dict[str, str]]:
        return [{"key": "Name", "value": "a host"}]


def new_host() -> Host:
    """Return the record of a t3.medium with an instance profile."""
    role = SimpleNamespace(name="host", arn="arn:aws:iam::123456789012:role/host")
    profile = SimpleNamespace(arn="arn:aws:iam::123456789012:instance-profile/p", id="AIPA", roles=[role])
    options = SimpleNamespace(
        http_tokens="required", http_endpoint="enabled", instance_metadata_tags="disabled"
    )
    nic = SimpleNamespace(subnet=SimpleNamespace(id="subnet-1"))
    return Host(
        id="i-1",
        image_id="ami-1",
        instance_type="t3.medium",
        availability_zone="eu-west-1a",
        region_name="eu-west-1",
        private_ip="10.0.0.1",
        private_dns_name="ip-10-0-0-1.internal",
        lifecycle=None,
        ami_launch_index=0,
        security_groups=[SimpleNamespace(name="default")],
        nics=[nic],
        vpc_id="vpc-1",
        architecture="x86_64",
        launch_time=datetime(2026, 1, 1),
        interruption="",
        metadata_options=options,
        instance_profile=profile,
        user_data=None,
    )
