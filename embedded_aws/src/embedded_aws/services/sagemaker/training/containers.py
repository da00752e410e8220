"""Which training image runs here, and how: AWS's PyTorch image as its toolkit, others by their entrypoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

# AWS Deep Learning Containers for PyTorch training: today's repository and its older name.
PYTORCH_REPOSITORIES = ("pytorch", "pytorch-training")
# Where a container finds its input and leaves its output; here a folder per instance.
CONTAINER_BASE = "/opt/ml"
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


def repository(image: str) -> str:
    """The repository of an image reference: "…amazonaws.com/pytorch:2.13" → "pytorch"."""
    return image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]


def check(algorithm: dict[str, Any]) -> None:
    """Raise ValidationException if this AlgorithmSpecification cannot run without a container."""
    image = algorithm.get("TrainingImage")
    if not image:
        raise AWSValidationException(
            "AlgorithmSpecification must name a TrainingImage: the embedded AWS has no marketplace algorithms."
        )
    if algorithm.get("TrainingInputMode") == "Pipe":
        raise AWSValidationException("The embedded AWS does input modes File and FastFile, not Pipe.")
    if not algorithm.get("ContainerEntrypoint") and repository(image) not in PYTORCH_REPOSITORIES:
        raise AWSValidationException(
            f"The embedded AWS cannot run the image {image}: it runs AWS's PyTorch training images "
            f"(repository {' or '.join(PYTORCH_REPOSITORIES)}), and any image with a ContainerEntrypoint."
        )


def command(algorithm: dict[str, Any], base: Path) -> list[str]:
    """The command line of one instance whose container's /opt/ml is `base`."""
    entrypoint = algorithm.get("ContainerEntrypoint")
    if entrypoint:
        return [relocate(part, base) for part in entrypoint + algorithm.get("ContainerArguments", [])]
    return [sys.executable, str(Path(__file__).with_name("toolkit.py"))]


def environment(base: Path, threads: int, master_port: int) -> dict[str, str]:
    """What the image itself sets, and what makes its toolkit work in a folder of its own."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main",
        "SM_STUDIO_LOCAL_MODE": "true",  # hosts are addresses: there is no name to wait for
        "GLOO_SOCKET_IFNAME": LOOPBACK,
        "MASTER_PORT": str(master_port),
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin on busy cores train twenty times slower
    }


def relocate(text: str, base: Path) -> str:
    """A value that names a path of the container, as this machine's path."""
    return text.replace(CONTAINER_BASE + "/", f"{base}/")
