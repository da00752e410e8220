"""Facts about SageMaker instance types: which exist, and what their names say. Checked on 2026-11-29."""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Literal

from botocore.model import ServiceModel

from ops import sessions
from ops.errors import Refused
from ops.facts.images import has_gpu

Kind = Literal["training", "processing", "hosting", "studio", "notebook"]

# The shape of the SageMaker API that lists the types of each kind.
_SHAPES = {
    "training": "TrainingInstanceType",
    "processing": "ProcessingInstanceType",
    "hosting": "ProductionVariantInstanceType",
    "studio": "AppInstanceType",
    "notebook": "InstanceType",
}
# Where types are chosen for our own images; the data job runs in that of training.
_SETTINGS: dict[Kind, tuple[str, str]] = {
    "training": ("training", "training.instance_type"),
    "processing": ("training", "data.processing.instance_type"),
    "hosting": ("hosting", "serving.instance_type"),
}
_OTHER_APPLICATIONS = {"system", "ml.geospatial.interactive"}  # of Studio, but not of JupyterLab

# The same pattern as in Terraform module endpoint: families with a d (m5d, g4dn, p4de), and families that always have
# local disks.
_LOCAL_NVME = re.compile(
    r"^ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl[12]q?|g5|g[67]e?|gr6|p5[a-z]*|p6e?-[a-z0-9]+|trn[12][a-z]*)\."
)
# A g after the generation is AWS Graviton (c6gn, m8g); p6e-gb200 has NVIDIA Grace.
_ARM = re.compile(r"^ml\.([a-z]+[0-9]+g[a-z]*|p6e-gb[0-9]+)\.")
# Sizes with more than one NVIDIA GPU, by family: https://aws.amazon.com/ec2/instance-types/accelerated-computing/,
# the same as in EC2's DescribeInstanceTypes, on 2026-12-01.
_FOUR_OR_EIGHT = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8}
_GPUS: dict[str, dict[str, int]] = {
    "g4dn": {"12xlarge": 4},
    "g5": _FOUR_OR_EIGHT,
    "g6": _FOUR_OR_EIGHT,
    "g6e": _FOUR_OR_EIGHT,
    "g7": {**_FOUR_OR_EIGHT, "12xlarge": 2},
    "g7e": {**_FOUR_OR_EIGHT, "12xlarge": 2},
    "p2": {"8xlarge": 8, "16xlarge": 16},
    "p3": {"8xlarge": 4, "16xlarge": 8},
    "p3dn": {"24xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
    "p6-b200": {"48xlarge": 8},
    "p6-b300": {"48xlarge": 8},
}
_OTHER_ACCELERATORS = re.compile(r"^ml\.(trn|inf|dl)[0-9]")


def has_local_nvme(instance_type: str) -> bool:
    """Return whether a type stores data on local NVMe disks. Hardware encrypts these: SageMaker refuses a KMS key."""
    return _LOCAL_NVME.match(instance_type) is not None


@cache
def instance_types(kind: Kind) -> frozenset[str]:
    """Return the instance types that the SageMaker API accepts for training, processing, hosting or a kind of workbench."""
    model = ServiceModel(sessions.service_models().load_service_model("sagemaker", "service-2"))
    known: list[str] = model.shape_for(_SHAPES[kind]).enum
    return frozenset(known) - _OTHER_APPLICATIONS


def check_instance_type(instance_type: str, kind: Kind) -> None:
    """Raise Refused if SageMaker has no such type for `kind`, or if our training and serving images need another.

    The images are built for x86 processors, and use NVIDIA GPUs or none.
    """
    known = instance_types(kind)
    if instance_type not in known:
        near = difflib.get_close_matches(instance_type, sorted(known), 3) or ["ml.m5.large", "ml.m5.2xlarge"]
        raise Refused(
            f"SageMaker has no instance type {instance_type!r} for {kind}: did you mean {' or '.join(near)}?"
        )
    if kind not in _SETTINGS:
        return
    image, setting = _SETTINGS[kind]
    reason = _unsupported(instance_type)
    if reason:
        raise Refused(
            f"{instance_type} {reason}, and the {image} image does not support it: set {setting} to a type with an x86 "
            "processor, such as ml.m5.large, or with NVIDIA GPUs, such as ml.g5.xlarge."
        )


def _unsupported(instance_type: str) -> str:
    """Return what the images do not support about a type, e.g. "has an Arm processor"; empty if they support it."""
    if _ARM.match(instance_type):
        return "has an Arm processor"
    if _OTHER_ACCELERATORS.match(instance_type):
        return "has an accelerator other than NVIDIA GPUs"
    return ""


def gpus(instance_type: str) -> int:
    """Return the number of NVIDIA GPUs of a SageMaker instance type that our images support."""
    if not has_gpu(instance_type):
        return 0
    _, family, size = instance_type.split(".")
    return _GPUS.get(family, {}).get(size, 1)
