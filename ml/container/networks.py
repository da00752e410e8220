"""The networks of torchvision, timm and this folder, without their last linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

import efficientnet_lite
import timm_models
from architectures import EFFICIENTNET_LITE0, SMALL_CNN, TIMM, Architecture
from errors import InputError


@dataclass(frozen=True, slots=True)
class Network:
    """A network without its last linear layer.

    backbone: images float32 [N, channels, H, W] to features [N, features].
    features: number of features.
    dropout: probability of the dropout before the last linear layer, which the head gets.
    removed: names of the layers that were removed; a file of weights can have them.
    """

    backbone: nn.Module
    features: int
    dropout: float = 0.0
    removed: tuple[str, ...] = ()


def build_network(architecture: Architecture, channels: int, image_size: int) -> Network:
    """Return the network with random weights. Raises InputError for an image size that it cannot take."""
    architecture.check_image_size(image_size)
    if architecture.name == SMALL_CNN:
        return Network(_small_cnn(channels), _SMALL_CNN_FEATURES)
    if channels != 3:
        raise InputError(f"{architecture.name} takes RGB images; it cannot take {channels} channel(s)")
    if architecture.name == EFFICIENTNET_LITE0:
        return _without_last_linear(
            efficientnet_lite.EfficientNetLite0(), architecture.classifier, efficientnet_lite.DROPOUT
        )
    if architecture.is_timm:
        backbone, features, removed = timm_models.create(architecture.name.removeprefix(TIMM), image_size)
        return Network(backbone, features, removed=removed)

    from torchvision import models  # imported here because it takes seconds and other networks do not need it

    options = {"image_size": image_size} if architecture.name.startswith("vit") else {}
    network = models.get_model(architecture.name, weights=None, **options)
    return _without_last_linear(network, architecture.classifier)


_SMALL_CNN_WIDTHS = (16, 32, 64)
_SMALL_CNN_FEATURES = 4 * _SMALL_CNN_WIDTHS[-1]


def _small_cnn(channels: int) -> nn.Module:
    """A three-stage convolutional network for small images, about 24,000 parameters; H and W at least 8.

    Group normalization makes the output for an image independent of its batch: training on several machines gives the
    result of training on one, and serving gives the result of evaluation.
    """
    stages: list[nn.Module] = []
    for inputs, outputs in pairwise((channels, *_SMALL_CNN_WIDTHS)):
        stages += [
            nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
            nn.MaxPool2d(2),  # before the normalization, which then does a quarter of the work
            nn.GroupNorm(8, outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(2), nn.Flatten())


def _without_last_linear(network: nn.Module, classifier: str, dropout: float = 0.0) -> Network:
    """Replace the classifier's last linear layer, and a dropout right before it, by nothing."""
    module: Any = network.get_submodule(classifier)
    if isinstance(module, nn.Linear):
        setattr(network, classifier, nn.Identity())
        return Network(network, module.in_features, dropout, (classifier,))
    *before, (name, linear) = module.named_children()
    setattr(module, name, nn.Identity())
    if before and isinstance(before[-1][1], nn.Dropout):
        setattr(module, before[-1][0], nn.Identity())
        dropout = before[-1][1].p
    return Network(network, linear.in_features, dropout, (f"{classifier}.{name}",))
