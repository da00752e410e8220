"""Training images without Docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.training import containers

IMAGE = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch:2.13-cpu-amzn2023-sagemaker"


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (IMAGE, "pytorch"),
        ("host:5000/a/pytorch-training@sha256:00", "pytorch-training"),
        ("busybox", "busybox"),
    ],
)
def test_repository_of_an_image(image: str, repository: str) -> None:
    assert containers.repository(image) == repository


def test_entrypoint_paths_are_relocated_to_the_instance_folder() -> None:
    algorithm = {"ContainerEntrypoint": ["/bin/sh"], "ContainerArguments": ["-c", "ls /opt/ml/model"]}
    assert containers.command(algorithm, Path("/w/algo-1")) == ["/bin/sh", "-c", "ls /w/algo-1/model"]


def test_unsupported_image_is_refused() -> None:
    with pytest.raises(AWSValidationException, match=r"cannot run the image x/pytorch-inference:2\.6"):
        containers.check({"TrainingImage": "x/pytorch-inference:2.6", "TrainingInputMode": "File"})
