"""The original's way to train, as a program: `python original.py DATA WEIGHTS ARCHITECTURE EPOCHS BATCH_SIZE`.

It is the reference of `./inv bench training`: PyTorch as a tutorial has it. The backbone is frozen and runs in every
epoch, in float32 and in training mode; images are decoded by Pillow in the training process; the head is
Linear-ReLU-Linear, trained with Adam. Prints one JSON object.

DATA: folder with train, valid and test, each an ImageFolder. WEIGHTS: a state_dict of the architecture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build(architecture: str, weights: str, classes: int) -> nn.Module:
    """Return the network with a new head: everything else is frozen."""
    if (
        architecture == "efficientnet_lite0"
    ):  # torchvision has none: the one of this repository, with its old head
        from efficientnet_lite import EfficientNetLite0

        model: Any = EfficientNetLite0()
        last = "_fc"
    else:
        model, last = getattr(models, architecture)(), "fc"
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.requires_grad_(False)
    features = getattr(model, last).in_features
    setattr(model, last, nn.Sequential(nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, classes)))
    network: nn.Module = model
    return network


def test(model: nn.Module, loader: DataLoader[Any]) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    model.eval()
    loss, right, count = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            right += int((logits.argmax(dim=1) == labels).sum())
            count += len(labels)
    return loss / count, right / count


def main() -> None:
    """Train, validate after each epoch, test at the end."""
    data, weights, architecture, epochs, batch_size = sys.argv[1:]
    torch.manual_seed(0)
    half = ((0.5,) * 3, (0.5,) * 3)
    statistics = half if architecture == "efficientnet_lite0" else (MEAN, STD)
    normalize = [transforms.ToTensor(), transforms.Normalize(*statistics)]
    training = transforms.Compose(
        [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *normalize]
    )
    testing = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), *normalize])
    sets = {
        split: datasets.ImageFolder(str(Path(data) / split), training if split == "train" else testing)
        for split in ("train", "valid", "test")
    }
    loaders = {
        split: DataLoader(images, batch_size=int(batch_size), shuffle=split == "train")
        for split, images in sets.items()
    }
    model = build(architecture, weights, len(sets["train"].classes))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.001)
    for _ in range(int(epochs)):
        model.train()
        for images, labels in loaders["train"]:
            optimizer.zero_grad()
            loss: Any = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        test(model, loaders["valid"])
    loss, accuracy = test(model, loaders["test"])
    print(json.dumps({"test:loss": loss, "test:accuracy": accuracy}))


if __name__ == "__main__":
    main()
