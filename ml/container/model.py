"""The classifier: a backbone and a new head."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import architectures
from errors import InputError
from networks import build_network
from preprocess import Preprocess
from pretrained import load_weights

LINEAR, ORIGINAL = HEADS = ("linear", "original")  # as in hyperparameters.py, which serving does not have
_ORIGINAL_WIDTH = 128  # of the hidden layer


class Classifier(nn.Module):
    """Images float32 [N, channels, H, W] to logits [N, classes].

    backbone: images to features float [N, D].
    head: the new layers, features to logits, with the dropout of the original classifier. Its last layer is linear.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.backbone(images))
        return logits


def default_preprocess(architecture: str, image_size: int, channels: int) -> Preprocess:
    """Return the transform of an architecture.

    Networks for natural images get RGB with the statistics of their pretrained weights, resized and cropped in the ratio of
    their evaluation. small_cnn gets the whole square with the channels of its data, scaled to [-1, 1].
    Raises InputError for an unknown architecture, or an image size that it cannot take.
    """
    found = architectures.resolve(architecture)
    found.check_image_size(image_size)
    resize_size = round(image_size * found.resize_ratio)
    if found.natural_images:
        return Preprocess(image_size, resize_size, 3, found.mean, found.std)
    return Preprocess(image_size, resize_size, channels, found.mean[:1] * channels, found.std[:1] * channels)


def build_model(
    architecture: str,
    classes: int,
    *,
    channels: int = 3,
    image_size: int,
    head: str = LINEAR,
    weights: Path | None = None,
) -> Classifier:
    """Return a classifier. All its parameters require gradients; modes.set_trainable freezes some.

    image_size: height and width of the input in pixels; some networks depend on it.
    weights: file with a state_dict of the original network; the backbone starts from it. Without it, parameters are random.
    Raises InputError for an unknown architecture, an image size that it cannot take, or weights that do not fit it.
    """
    found = architectures.resolve(architecture)
    if head not in HEADS:
        raise InputError(f"unknown head {head!r}; use one of {', '.join(HEADS)}")
    network = build_network(found, channels, image_size)
    if weights is not None:
        load_weights(network, found, image_size, weights)
    return Classifier(network.backbone, _head(head, network.features, classes, network.dropout))


def _head(kind: str, features: int, classes: int, dropout: float) -> nn.Module:
    layers: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    if kind == ORIGINAL:
        layers += [nn.Linear(features, _ORIGINAL_WIDTH), nn.ReLU(inplace=True)]
        features = _ORIGINAL_WIDTH
    layers.append(nn.Linear(features, classes))
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)
