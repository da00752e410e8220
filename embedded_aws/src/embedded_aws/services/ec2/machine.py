"""One boot of an EC2 instance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.ec2.host import Host
from embedded_aws.services.ec2.imds import Assume
from embedded_aws.services.ec2.instance_metadata import InstanceMetadataService
from embedded_aws.services.ec2.instances import EmbeddedInstance
from embedded_aws.services.ec2.user_data import Script


class Machine(Host):
    """The processes of an instance."""

    def __init__(
        self, instance: EmbeddedInstance, folder: Path, supervisor: Supervisor, endpoint_url: str, home: Path
    ) -> None:
        super().__init__(instance.id, instance.private_dns_name, folder, supervisor, endpoint_url, home)
        self.instance = instance

    def start(self, scripts: list[Script], assume: Assume, ended: Callable[[Machine, int], None]) -> None:
        """Boot. `ended` is called with the exit status of the first process.

        Raises OSError if the first process cannot be started.
        """
        self.boot(scripts, InstanceMetadataService(self.instance, assume), lambda status: ended(self, status))
