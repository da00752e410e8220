"""The model, and the job that trains it."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ops.facts import architectures
from ops.settings.section import InstanceType, Section

Mode = Literal["from-scratch", "linear-probe", "gradual-unfreezing", "fine-tuning"]


class ModelSettings(Section):
    """Neural network."""

    architecture: str = Field(
        "resnet50",
        description="Architecture of the network: small_cnn, efficientnet_lite0, torchvision's name of a ResNet, ResNeXt, "
        "RegNet, MobileNetV3, EfficientNet, ConvNeXt, Swin or ViT, or timm/NAME in an image that has timm.",
    )
    image_size: int = Field(224, ge=16, le=512, description="Height and width of the input in pixels.")
    mode: Mode = Field(
        "from-scratch",
        description="What is trained. All but from-scratch start from weights pretrained on ImageNet: linear-probe trains "
        "the head only, gradual-unfreezing one stage after the other, fine-tuning all.",
    )
    head: Literal["linear", "original"] = Field(
        "linear", description="One linear layer, or linear, ReLU and linear as the original."
    )

    # Not in model_dump: the digest decides the result, wherever the file is.
    weights: str = Field(
        "",
        pattern=r"^$|\.(pt|pth|safetensors)$",  # what the training program looks for in its channel
        exclude=True,
        description="Weights to start from instead of those pretrained on ImageNet: a local path or an s3:// URI of a "
        "state_dict of the architecture, or the model.pt of an earlier model.",
    )
    weights_sha256: str = Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="SHA-256 of the file of weights, as sha256sum prints it.",
    )

    @property
    def pretrained(self) -> bool:
        """Whether training starts from weights pretrained on ImageNet."""
        return self.mode != "from-scratch"

    @field_validator("architecture")
    @classmethod
    def _check_architecture(cls, name: str) -> str:
        if not architectures.is_known(name):
            similar = difflib.get_close_matches(name, architectures.names(), n=3, cutoff=0) or ["resnet50"]
            raise ValueError(
                f"{name!r} is not a known architecture; similar names are {', '.join(similar)}; docs/training.md lists all"
            )
        return name

    @model_validator(mode="after")
    def _check_image_size(self) -> ModelSettings:
        minimum, multiple = architectures.image_sizes(self.architecture)
        if self.image_size < minimum or self.image_size % multiple:
            steps = f" and a multiple of {multiple}" if multiple > 1 else ""
            raise ValueError(
                f"image_size is {self.image_size}; it must be at least {minimum}{steps} for {self.architecture}"
            )
        return self

    @model_validator(mode="after")
    def _check_weights_exist(self) -> ModelSettings:
        if bool(self.weights) != bool(self.weights_sha256):
            raise ValueError("set both weights and weights_sha256, which sha256sum prints, or neither")
        if self.weights and not self.pretrained:
            raise ValueError(
                'weights are not used with mode = "from-scratch": remove them, or set another mode'
            )
        if not self.pretrained or self.weights or architectures.pretrained_digest(self.architecture):
            return self
        reason = (
            "no pretrained weights that may be used commercially"
            if self.architecture in architectures.NON_COMMERCIAL
            else "no pretrained weights"
        )
        raise ValueError(
            f'{self.architecture} has {reason}: set mode = "from-scratch", or weights and weights_sha256 to a file of yours'
        )


class TrainingSettings(Section):
    """Training job."""

    instance_type: InstanceType = Field("ml.m5.2xlarge", description="SageMaker instance type.")
    instance_count: int = Field(1, ge=1, le=20, description="Number of instances.")
    volume_size_gb: int = Field(30, ge=1, le=16384, description="Size of each instance's volume in GiB.")
    max_runtime_seconds: int = Field(
        4 * 3600, ge=60, le=5 * 86400, description="Time limit: SageMaker stops the job after it."
    )
    spot: bool = Field(False, description="Use managed Spot training; checkpoints survive interruptions.")
    epochs: int = Field(10, ge=1, le=1000, description="Number of epochs.")
    weight_decay: float = Field(0.0001, ge=0, le=1, description="Weight decay of the optimizer.")
    seed: int = Field(0, description="Seed of the random number generators.")
    minimum_accuracy: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Accuracy on the test split below which a model waits for manual approval and is not deployed.",
    )
