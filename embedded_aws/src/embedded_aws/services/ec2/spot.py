"""The Spot request of a Spot Instance that RunInstances created; moto records none."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.utils import random_spot_request_id

from embedded_aws.services.ec2.instances import EmbeddedInstance


class EmbeddedSpotRequest(SpotInstanceRequest):
    """A fulfilled one-time request."""

    def __init__(self, instance: EmbeddedInstance, price: str) -> None:
        self._launched = instance
        super().__init__(
            instance.ec2_backend,
            random_spot_request_id(),
            price,
            instance.image_id,
            "one-time",
            valid_from=None,
            valid_until=None,
            launch_group=None,
            availability_zone_group=None,
            key_name=instance.key_name or "",
            security_groups=[],
            user_data=None,
            instance_type=instance.instance_type,
            placement=instance.availability_zone,
            kernel_id=None,
            ramdisk_id=None,
            monitoring_enabled=instance.monitored,
            subnet_id=instance.subnet_id or "",
            tags={},
            spot_fleet_id=None,
            instance_interruption_behaviour="terminate",
        )

    def launch_instance(self) -> EmbeddedInstance:
        return self._launched


def request_for(instance: EmbeddedInstance, options: dict[str, Any]) -> None:
    """Record the Spot request of an instance. options: SpotOptions of RunInstances."""
    request = EmbeddedSpotRequest(instance, options.get("MaxPrice") or "")
    instance.ec2_backend.spot_instance_requests[request.id] = request
    instance.spot_instance_request_id = request.id
