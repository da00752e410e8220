"""The architectures, and their models for a number of classes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from errors import InputError
from preprocess import Preprocess

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture.

    head: name of the submodule that is trained when the backbone is frozen.
    natural_images: a torchvision model for natural images. Its transform is RGB with ImageNet statistics, resized to
        256/224 of the image size; training flips images horizontally.
    """

    head: str
    natural_images: bool


ARCHITECTURES = {
    "small_cnn": Architecture(head="head", natural_images=False),
    "resnet18": Architecture(head="fc", natural_images=True),
    "resnet50": Architecture(head="fc", natural_images=True),
    "mobilenet_v3_small": Architecture(head="classifier", natural_images=True),
}


class SmallCNN(nn.Module):
    """A three-stage convolutional network for small images, about 26,000 parameters.

    Group normalization makes the output for an image independent of its batch: training on several machines gives the
    result of training on one, and serving gives the result of evaluation.
    Input float32 [N, channels, H, W], H and W at least 8; output logits [N, classes].
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        widths = (channels, 16, 32, 64)
        stages: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            stages += [
                nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
                nn.MaxPool2d(2),  # before the normalization, which then does a quarter of the work
                nn.GroupNorm(8, outputs),
                nn.ReLU(inplace=True),
            ]
        self.features = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(4 * widths[-1], classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(images))
        return logits


def default_preprocess(architecture: str, image_size: int, channels: int) -> Preprocess:
    """Return the transform of an architecture.

    torchvision's models get RGB with ImageNet statistics, cropped as torchvision evaluates them (256 to 224).
    small_cnn gets the whole square with the channels of its data, scaled to [-1, 1].
    """
    if ARCHITECTURES[architecture].natural_images:
        return Preprocess(image_size, round(image_size * 256 / 224), 3, IMAGENET_MEAN, IMAGENET_STD)
    return Preprocess(image_size, image_size, channels, (0.5,) * channels, (0.5,) * channels)


def build_model(architecture: str, classes: int, channels: int = 3, weights: Path | None = None) -> nn.Module:
    """Return a classifier: input float32 [N, channels, H, W], output logits [N, classes].

    weights: file with a torchvision ImageNet state_dict of the architecture. The backbone gets these weights and is
        frozen; only the head is trained. Without it, all parameters are trained from scratch.
    Raises InputError for an unknown architecture or weights that do not fit it.
    """
    if architecture not in ARCHITECTURES:
        raise InputError(f"unknown architecture {architecture!r}; use one of {', '.join(ARCHITECTURES)}")
    if architecture == "small_cnn":
        if weights is not None:
            raise InputError("small_cnn has no pretrained weights; train it with --mode from-scratch")
        return SmallCNN(channels, classes)

    from torchvision import models  # imported here because it takes seconds and small_cnn does not need it

    model: nn.Module = getattr(models, architecture)(weights=None)
    if weights is not None:
        _load_backbone(model, weights, architecture)
    _replace_last_linear(model, ARCHITECTURES[architecture].head, classes)
    return model


def train_mode(model: nn.Module, head: str) -> None:
    """Set training mode. A frozen backbone stays in evaluation mode, so that its batch statistics do not drift."""
    frozen = not all(parameter.requires_grad for parameter in model.parameters())
    model.train(not frozen)
    model.get_submodule(head).train()


def _load_backbone(model: nn.Module, weights: Path, architecture: str) -> None:
    state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"{weights.name} is not a torchvision state_dict of {architecture}: {error}"
        ) from error
    model.requires_grad_(False)


def _replace_last_linear(model: nn.Module, head: str, classes: int) -> None:
    """Replace the head's last layer by one with an output per class, and make the head trainable."""
    last: Any = model.get_submodule(head)
    if isinstance(last, nn.Linear):
        setattr(model, head, nn.Linear(last.in_features, classes))
    else:
        last[-1] = nn.Linear(last[-1].in_features, classes)
    model.get_submodule(head).requires_grad_(True)
