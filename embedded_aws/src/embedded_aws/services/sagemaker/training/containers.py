"""Runs training images without Docker: AWS's PyTorch images through their toolkit, others by their entrypoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws import child_environment
from embedded_aws.services.sagemaker.training.disk import Disk

# Repositories of the AWS Deep Learning Containers for PyTorch training: the current and the older name.
PYTORCH_REPOSITORIES = ("pytorch", "pytorch-training")
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


def repository(image: str) -> str:
    """Return the repository of an image, for example "pytorch" for "…amazonaws.com/pytorch:2.13"."""
    return image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]


def check(algorithm: dict[str, Any]) -> None:
    """Raise ValidationException for an AlgorithmSpecification that cannot run here."""
    image = algorithm.get("TrainingImage")
    if not image:
        raise AWSValidationException(
            "AlgorithmSpecification must name a TrainingImage: the embedded AWS has no marketplace algorithms."
        )
    if algorithm.get("TrainingInputMode") == "Pipe":
        raise AWSValidationException("The embedded AWS supports input modes File and FastFile, not Pipe.")
    if not algorithm.get("ContainerEntrypoint") and repository(image) not in PYTORCH_REPOSITORIES:
        raise AWSValidationException(
            f"The embedded AWS cannot run the image {image}: it runs AWS's PyTorch training images "
            f"(repository {' or '.join(PYTORCH_REPOSITORIES)}), and any image with a ContainerEntrypoint."
        )


def command(algorithm: dict[str, Any], disk: Disk) -> list[str]:
    """Return the command line of an instance's program."""
    entrypoint = algorithm.get("ContainerEntrypoint")
    if entrypoint:
        return [disk.relocate(part) for part in entrypoint + algorithm.get("ContainerArguments", [])]
    return [disk.python, str(Path(__file__).with_name("toolkit.py"))]


def environment(disk: Disk, threads: int, master_port: int) -> dict[str, str]:
    """Return the environment variables of the image, and those that make its toolkit work here."""
    return {
        **disk.variables(),
        "PATH": os.pathsep.join([str(Path(disk.python).parent), child_environment.python_path()]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main",
        "SM_STUDIO_LOCAL_MODE": "true",  # hosts are addresses, so no name has to resolve
        "GLOO_SOCKET_IFNAME": LOOPBACK,
        "MASTER_PORT": str(master_port),
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads on busy cores make training twenty times slower
    }
