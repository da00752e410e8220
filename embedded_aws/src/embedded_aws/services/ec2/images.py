"""The Deep Learning AMIs, and the names of the Systems Manager parameters with the latest ID of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from moto.core.parse import default_timestamp_parser
from moto.ec2.models.amis import Ami

PREFIX = "/aws/service/deeplearning/ami"
RELEASED = "20260103"
RELEASED_AT = default_timestamp_parser("2026-01-03T00:00:00.000Z")


@dataclass(frozen=True)
class Image:
    """A Deep Learning AMI."""

    name: str

    type: str
    """Its part of the parameter's name."""

    @property
    def parameter(self) -> str:
        """Name of the parameter with the latest ID."""
        return f"{PREFIX}/x86_64/{self.type}/latest/ami-id"

    def id(self, region: str) -> str:
        """Return the image ID in a region."""
        return "ami-" + hashlib.sha256(f"{region} {self.name}".encode()).hexdigest()[:17]


IMAGES = [
    Image(
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023)",
        "base-oss-nvidia-driver-gpu-amazon-linux-2023",
    ),
    *(
        Image(
            f"Deep Learning OSS Nvidia Driver AMI GPU PyTorch {version} (Amazon Linux 2023)",
            f"oss-nvidia-driver-gpu-pytorch-{version}-amazon-linux-2023",
        )
        for version in ("2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.12")
    ),
]


class DeepLearningAmi(Ami):
    """An image with AWS's root volume: gp3 at /dev/xvda."""

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        (mapping,) = super().block_device_mappings
        mapping["Ebs"] |= {"VolumeSize": 45, "VolumeType": "gp3", "DeleteOnTermination": True}
        return [mapping]


def add_to(backend: Any) -> None:
    """Register the images with a backend of moto's."""
    for image in IMAGES:
        identity = image.id(backend.region_name)
        backend.amis[identity] = DeepLearningAmi(
            backend,
            identity,
            name=f"{image.name} {RELEASED}",
            description=image.name,
            owner_id="898082745236",
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            hypervisor="xen",
            creation_date=RELEASED_AT,
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            region_name=f"{backend.region_name}a",
        )
