"""The AWS Deep Learning Containers that jobs and endpoints run in. Checked on 2026-12-01."""

from __future__ import annotations

from ops.errors import Refused

# The account of the registry in each region of AWS's commercial partition:
# https://aws.github.io/deep-learning-containers/reference/region_availability/
_SHARED = "763104351884"
ACCOUNTS = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-1": _SHARED,
    "ap-northeast-2": _SHARED,
    "ap-northeast-3": "364406365360",
    "ap-south-1": _SHARED,
    "ap-south-2": "772153158452",
    "ap-southeast-1": _SHARED,
    "ap-southeast-2": _SHARED,
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-7": "590183813437",
    "ca-central-1": _SHARED,
    "ca-west-1": "204538143572",
    "eu-central-1": _SHARED,
    "eu-central-2": "380420809688",
    "eu-north-1": _SHARED,
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "eu-west-1": _SHARED,
    "eu-west-2": _SHARED,
    "eu-west-3": _SHARED,
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "sa-east-1": _SHARED,
    "us-east-1": _SHARED,
    "us-east-2": _SHARED,
    "us-west-1": _SHARED,
    "us-west-2": _SHARED,
}
TRAINING_REPOSITORY = "pytorch"
TRAINING = f"{TRAINING_REPOSITORY}:2.13-{{device}}-amzn2023-sagemaker"
SERVING_REPOSITORY = "ray"
SERVING = (
    f"{SERVING_REPOSITORY}:serve-ml-sagemaker-{{device}}-v1"  # AWS's successor of its PyTorch inference image
)


def account_id(region: str) -> str:
    """Return the account of the registry in a region. Raises Refused if AWS publishes no images there."""
    if region not in ACCOUNTS:
        raise Refused(
            f"AWS publishes no Deep Learning Containers for region {region!r}, and jobs and endpoints run in them: set "
            f"region to one of {', '.join(ACCOUNTS)}."
        )
    return ACCOUNTS[region]


def _registry(region: str) -> str:
    return f"{account_id(region)}.dkr.ecr.{region}.amazonaws.com"


def training_image(region: str, instance_type: str) -> str:
    """Return the URI of the training image for a SageMaker instance type."""
    return f"{_registry(region)}/{TRAINING.format(device='cu133' if has_gpu(instance_type) else 'cpu')}"


def serving_image(region: str, instance_type: str) -> str:
    """Return the URI of the serving image for a SageMaker instance type."""
    return f"{_registry(region)}/{SERVING.format(device='cuda' if has_gpu(instance_type) else 'cpu')}"


def has_gpu(instance_type: str) -> bool:
    """Return whether a SageMaker instance type has NVIDIA GPUs."""
    return instance_type.split(".")[1][0] in "gp"
