"""EC2's records: moto's backend, with the Deep Learning AMIs."""

from __future__ import annotations

from moto.ec2 import urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2 import images
from embedded_aws.services.ec2.security_groups import SecurityGroupsBackend


class EmbeddedEC2Backend(SecurityGroupsBackend):
    """moto's backend, with ours in front."""

    runtime: Runtime
    _url_module = urls  # moto derives it from __module__ otherwise

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        images.add_to(self)
