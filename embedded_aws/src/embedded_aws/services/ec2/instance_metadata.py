"""The metadata of an EC2 instance."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.services.ec2.imds import Assume, MetadataService, Tree, iso
from embedded_aws.services.ec2.instances import EmbeddedInstance

MAC = "0a:00:00:00:00:01"


class InstanceMetadataService(MetadataService):
    """The metadata service of an EC2 instance, with the instance's metadata options."""

    def __init__(self, instance: EmbeddedInstance, assume: Assume) -> None:
        self.instance = instance
        super().__init__(instance.id, assume)

    @property
    def enabled(self) -> bool:
        return bool(self.instance.metadata_options.http_endpoint != "disabled")

    @property
    def requires_tokens(self) -> bool:
        return bool(self.instance.metadata_options.http_tokens == "required")

    def tree(self) -> Tree:
        return {
            "meta-data": self._metadata(),
            "dynamic": {"instance-identity": {"document": json.dumps(self._identity(), indent=2)}},
            "user-data": self._user_data,
        }

    def _metadata(self) -> Tree:
        instance = self.instance
        tree: Tree = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "hostname": instance.private_dns_name,
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "mac": MAC,
            "network": {"interfaces": {"macs": {MAC: self._interface()}}},
            "placement": {
                "availability-zone": instance.availability_zone,
                "region": instance.region_name,
            },
            "security-groups": "\n".join(group.name for group in instance.security_groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
        }
        if profile := instance.profile():
            tree["iam"] = {
                "info": json.dumps(
                    {
                        "Code": "Success",
                        "LastUpdated": iso(datetime.now(timezone.utc)),
                        "InstanceProfileArn": profile.arn,
                        "InstanceProfileId": profile.id,
                    }
                ),
                "security-credentials": {
                    role.name: lambda role=role: self.credentials(role.arn) for role in profile.roles[:1]
                },
            }
        if instance.metadata_options.instance_metadata_tags == "enabled":
            tree["tags"] = {"instance": {tag["key"]: tag["value"] for tag in instance.get_tags()}}
        if instance.interruption:
            notice = {"action": "terminate", "time": instance.interruption}
            tree["spot"] = {"instance-action": json.dumps(notice), "termination-time": instance.interruption}
        return tree

    def _interface(self) -> Tree:
        instance = self.instance
        return {
            "local-ipv4s": instance.private_ip,
            "subnet-id": instance.nics[0].subnet.id,
            "vpc-id": instance.vpc_id,
        }

    def _identity(self) -> dict[str, Any]:
        instance = self.instance
        return {
            "accountId": ACCOUNT_ID,
            "architecture": instance.architecture,
            "availabilityZone": instance.availability_zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "pendingTime": iso(instance.launch_time),
            "privateIp": instance.private_ip,
            "region": instance.region_name,
            "version": "2017-09-30",
        }

    def _user_data(self) -> str | None:
        return self.instance.user_data.decode() if self.instance.user_data else None
