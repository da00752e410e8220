"""The EC2 host that trains."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from ops.errors import OperatorError
from ops.settings.section import Section

HostType = Annotated[str, Field(pattern=r"^[a-z]+[a-z0-9-]*[0-9][a-z0-9-]*\.[a-z0-9-]+$")]


class HostSettings(Section):
    """One host for each training. volume_size_gb: of its root volume; the Deep Learning AMI takes 45. spot: of spare
    capacity, which EC2 may take back. pytorch_version: of the Deep Learning AMI; image_parameter: an SSM parameter that
    names another image. max_minutes: the longest that it lives; idle_minutes: without use of its processors before an
    alarm ends it (0: never). instance_connect: an EC2 Instance Connect Endpoint, for a shell."""

    instance_type: HostType = "t3.medium"
    volume_size_gb: int = Field(60, ge=45, le=16384)
    spot: bool = False
    pytorch_version: str = Field("2.12", pattern=r"^[0-9]+\.[0-9]+$")
    image_parameter: str = Field("", pattern=r"^(/.+)?$")
    max_minutes: int = Field(720, ge=1, le=10080)
    idle_minutes: int = Field(30, ge=0, le=1440, multiple_of=5)
    instance_connect: bool = False

    def variables(self) -> dict[str, Any]:
        """As variable `host` of root workbench has them."""
        return {
            "instance_type": self.instance_type,
            "spot": self.spot,
            "instance_connect": self.instance_connect,
            "image": {"pytorch_version": self.pytorch_version, "parameter": self.image_parameter},
            "root_volume": {"size_gb": self.volume_size_gb},
            "lifetime": {"max_minutes": self.max_minutes, "idle_minutes": self.idle_minutes},
        }


def chosen(host: HostSettings, instance_type: str | None, spot: bool) -> HostSettings:
    """The environment's host with what the command line says instead. Raises OperatorError for what is no type."""
    wanted = {"spot": host.spot or spot, **({"instance_type": instance_type} if instance_type else {})}
    try:
        return HostSettings(**{**host.model_dump(), **wanted})
    except ValidationError:
        raise OperatorError(
            f"--instance-type {instance_type}: give an EC2 instance type such as t3.medium or g5.xlarge, without "
            "SageMaker's ml. in front."
        ) from None
