"""The AWS Deep Learning Containers that jobs and endpoints run in. Checked on 2026-11-29."""

from __future__ import annotations

ACCOUNT_ID = "763104351884"  # of the registry, in all regions that have the repositories
REGISTRY = f"{ACCOUNT_ID}.dkr.ecr.{{region}}.amazonaws.com"
TRAINING_REPOSITORY = "pytorch"
TRAINING = f"{TRAINING_REPOSITORY}:2.13-{{device}}-amzn2023-sagemaker"
SERVING_REPOSITORY = "ray"
SERVING = (
    f"{SERVING_REPOSITORY}:serve-ml-sagemaker-{{device}}-v1"  # AWS's successor of its PyTorch inference image
)


def training_image(region: str, instance_type: str) -> str:
    """Return the URI of the training image for a SageMaker instance type."""
    return f"{REGISTRY.format(region=region)}/{TRAINING.format(device='cu133' if has_gpu(instance_type) else 'cpu')}"


def serving_image(region: str, instance_type: str) -> str:
    """Return the URI of the serving image for a SageMaker instance type."""
    return f"{REGISTRY.format(region=region)}/{SERVING.format(device='cuda' if has_gpu(instance_type) else 'cpu')}"


def has_gpu(instance_type: str) -> bool:
    """Return whether a SageMaker instance type has NVIDIA GPUs."""
    return instance_type.split(".")[1][0] in "gp"
