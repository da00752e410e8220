"""Read a file of pretrained weights into a backbone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

import timm_models
from architectures import Architecture
from errors import InputError
from networks import Network

# The operator's side stores a file of weights under a name that ends with the first digits of its SHA-256.
_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


def weights_digest(path: Path) -> str:
    """Return the SHA-256 of a file of weights as 64 hexadecimal digits.

    Raises InputError when the file's name ends with the digest of another content.
    """
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    found = digest.hexdigest()
    expected = _DIGEST_IN_NAME.search(path.name)
    if expected and not found.startswith(expected[1]):
        raise InputError(
            f"{path.name} is damaged: its SHA-256 is {found} and must start with {expected[1]}; delete it and upload it again"
        )
    return found


def load_weights(network: Network, architecture: Architecture, image_size: int, path: Path) -> None:
    """Set the backbone's parameters and statistics to those of a file.

    path: a state_dict of the original network, with or without its last linear layer, or the model.pt of an artifact of
        this program. Position embeddings of a ViT are interpolated to the image size.
    Raises InputError for a file that is damaged, is no state_dict, or is of another network.
    """
    weights_digest(path)
    state = _read(path)
    if state and all(name.startswith(("backbone.", "head.")) for name in state):
        state = {
            name.removeprefix("backbone."): value for name, value in state.items() if name.startswith("b")
        }
    state = {name: value for name, value in state.items() if not name.startswith(_prefixes(network.removed))}
    state = _fit_image_size(network.backbone, architecture, image_size, state)
    if difference := _difference(network.backbone.state_dict(), state):
        raise InputError(f"{path.name} is not a state_dict of {architecture.name}: {difference}")
    network.backbone.load_state_dict(state)


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            content: Any = timm_models.read_safetensors(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    # Anything can be raised for any bytes. weights_only refuses code.
    except Exception as error:
        raise InputError(
            f"{path.name} cannot be read as a PyTorch state_dict ({type(error).__name__}); it is damaged, of another format, "
            "or a pickle with code: save it with torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise InputError(
            f"{path.name} has {type(content).__name__} with other things than tensors; it must be a state_dict: save it with "
            "torch.save(model.state_dict(), path)"
        )
    for name, value in content.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(f"{path.name} has NaN or infinite values in {name}; train or download it again")
    return dict(content)


def _prefixes(modules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{module}." for module in modules)


def _fit_image_size(
    backbone: nn.Module, architecture: Architecture, image_size: int, state: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Interpolate position embeddings that were trained with another image size."""
    try:
        if architecture.is_timm:
            return timm_models.convert(state, backbone)
        if architecture.name.startswith("vit") and "encoder.pos_embedding" in state:
            from torchvision.models.vision_transformer import interpolate_embeddings

            return dict(interpolate_embeddings(image_size, architecture.size_multiple, dict(state)))
    except (AttributeError, KeyError, RuntimeError, ValueError):
        return state  # of another network: the comparison of names and shapes says what differs
    return state


def _difference(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> str:
    """Return what differs between two state_dicts, in words; empty if their names and shapes are equal."""
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    parts = [
        f"it {verb} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for verb, names in (("lacks", missing), ("also has", unknown))
        if names
    ]
    if not parts:
        parts = [
            f"{name} is {list(found[name].shape)} and must be {list(expected[name].shape)}"
            for name in expected
            if found[name].shape != expected[name].shape
        ][:1]
    return ", ".join(parts)
