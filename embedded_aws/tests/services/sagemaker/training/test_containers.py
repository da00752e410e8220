"""Training images without Docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.training import containers
from embedded_aws.services.sagemaker.training.disk import Disk

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


@pytest.mark.parametrize("isolated", [True, False])
def test_paths_of_the_request_are_those_that_the_program_sees(tmp_path: Path, isolated: bool) -> None:
    disk = Disk(tmp_path, tmp_path / "home", isolated)
    algorithm = {"ContainerEntrypoint": ["/bin/sh"], "ContainerArguments": ["-c", "ls /opt/ml/model"]}
    seen = "/opt/ml" if isolated else tmp_path / "ml"
    assert containers.command(algorithm, disk) == ["/bin/sh", "-c", f"ls {seen}/model"]
    assert disk.path("/opt/ml/checkpoints") == tmp_path / "ml/checkpoints"


def test_unsupported_image_is_refused() -> None:
    with pytest.raises(AWSValidationException, match=r"cannot run the image x/pytorch-inference:2\.6"):
        containers.check({"TrainingImage": "x/pytorch-inference:2.6", "TrainingInputMode": "File"})
