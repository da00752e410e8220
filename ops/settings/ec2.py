"""The EC2 host of a training job."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from ops.errors import OperatorError
from ops.settings.section import Section

HostType = Annotated[str, Field(pattern=r"^[a-z]+[a-z0-9-]*[0-9][a-z0-9-]*\.[a-z0-9-]+$")]


class HostSettings(Section):
    """EC2 host of a training job. Each job gets a new host."""

    instance_type: HostType = Field("t3.medium", description="EC2 instance type.")
    volume_size_gb: int = Field(
        60, ge=45, le=16384, description="Size of the root volume in GiB. The Deep Learning AMI uses 45."
    )
    spot: bool = Field(False, description="Use Spot capacity, which EC2 can interrupt.")
    pytorch_version: str = Field(
        "2.12", pattern=r"^[0-9]+\.[0-9]+$", description="PyTorch version of the Deep Learning AMI."
    )
    image_parameter: str = Field(
        "",
        pattern=r"^(/.+)?$",
        description="SSM parameter with the ID of the AMI to use. Empty: the Deep Learning AMI.",
    )
    max_minutes: int = Field(
        720, ge=1, le=10080, description="Minutes after which the host terminates, whatever it is doing."
    )
    idle_minutes: int = Field(
        30,
        ge=0,
        le=1440,
        multiple_of=5,
        description="Minutes with an idle CPU after which an alarm terminates the host. 0: never.",
    )
    instance_connect: bool = Field(
        False, description="Create an EC2 Instance Connect Endpoint, to open a shell on the host."
    )

    def variables(self) -> dict[str, Any]:
        """Return variable `host` of Terraform root training_host."""
        return {
            "instance_type": self.instance_type,
            "spot": self.spot,
            "instance_connect": self.instance_connect,
            "image": {"pytorch_version": self.pytorch_version, "parameter": self.image_parameter},
            "root_volume": {"size_gb": self.volume_size_gb},
            "lifetime": {"max_minutes": self.max_minutes, "idle_minutes": self.idle_minutes},
        }


def chosen(host: HostSettings, instance_type: str | None, spot: bool) -> HostSettings:
    """Return the environment's host settings, overridden by the options of the command.

    Raises:
        OperatorError: instance_type is not an EC2 instance type.
    """
    overrides = {"spot": host.spot or spot, **({"instance_type": instance_type} if instance_type else {})}
    try:
        return HostSettings(**{**host.model_dump(), **overrides})
    except ValidationError:
        raise OperatorError(
            f"--instance-type {instance_type} is not an EC2 instance type: give one such as t3.medium or g5.xlarge, "
            "without SageMaker's prefix `ml.`."
        ) from None
