"""The models of timm, for images that have it. No other module imports timm, and this one does when it is called."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from errors import InputError


def config(name: str) -> Any:
    """Return timm's configuration of a model's pretrained weights; None if it has none.

    name: timm's name, such as vit_tiny_patch16_224.
    Raises InputError without timm, and for a name that it does not have.
    """
    if find_spec("timm") is None:
        raise InputError(
            f"timm/{name} needs timm, which this image does not have; train in an image with timm, or use an architecture "
            "of torchvision"
        )
    import timm

    if not timm.is_model(name):
        raise InputError(f"timm {timm.__version__} has no model {name!r}; timm.list_models() lists them")
    return timm.get_pretrained_cfg(name)


def create(name: str, image_size: int) -> tuple[nn.Module, int, tuple[str, ...]]:
    """Return a model with random weights without its classifier, its number of features, and the classifier's names.

    Raises InputError for an image size that it cannot take, and for a model without pooled features.
    """
    import timm

    known = config(name)
    options: dict[str, Any] = {}
    if known is not None and known.fixed_input_size:
        options["img_size"] = image_size
    try:
        backbone = timm.create_model(name, pretrained=False, num_classes=0, **options).eval()
        with torch.inference_mode():
            shape = backbone(torch.zeros(1, 3, image_size, image_size)).shape
    # timm's models assert and raise many things about sizes.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"timm/{name} cannot take --image-size {image_size}: {reason}") from error
    if len(shape) != 2:
        raise InputError(f"timm/{name} has no pooled features, and so no classifier; use another model")
    classifier = known.classifier if known is not None else None
    removed = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    return backbone.train(), shape[1], removed


def stages(backbone: Any) -> list[list[str]]:
    """Return the names of the parameters of each stage, from input to output."""
    from timm.models import group_parameters

    groups: dict[int, list[str]] = group_parameters(backbone, backbone.group_matcher(coarse=True))
    return [groups[number] for number in sorted(groups)]


def convert(state: dict[str, torch.Tensor], backbone: nn.Module) -> dict[str, torch.Tensor]:
    """Convert a state_dict as timm does when it loads one, such as for another image size."""
    function = getattr(sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None)
    return dict(function(state, backbone)) if function else state


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file in timm's format of weights."""
    from safetensors.torch import load_file

    return load_file(path)
