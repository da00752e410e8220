"""The operations of RandAugment and TrivialAugment, each on a batch with one magnitude per image.

torchvision draws from the global generator, copies a matrix to the GPU for each image and waits for it. These give the
same pixels (a test compares them) for a whole batch at once, from magnitudes that were drawn before.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from transfer import to_device

# Operation to its magnitudes: the values at both ends, and whether the sign is drawn too. As torchvision's RandAugment
# (the fixed magnitude is bin 9 of 31) and TrivialAugmentWide. Translations are shares of the image size.
RAND = {
    "identity": (0.0, 0.0, False),
    "shear_x": (0.09, 0.09, True),
    "shear_y": (0.09, 0.09, True),
    "translate_x": (0.3 * 150 / 331, 0.3 * 150 / 331, True),
    "translate_y": (0.3 * 150 / 331, 0.3 * 150 / 331, True),
    "rotate": (9.0, 9.0, True),
    "brightness": (0.27, 0.27, True),
    "color": (0.27, 0.27, True),
    "contrast": (0.27, 0.27, True),
    "sharpness": (0.27, 0.27, True),
    "posterize": (7.0, 7.0, False),
    "solarize": (0.7, 0.7, False),
    "autocontrast": (0.0, 0.0, False),
    "equalize": (0.0, 0.0, False),
}
TRIVIAL = {
    **RAND,
    "shear_x": (0.0, 0.99, True),
    "shear_y": (0.0, 0.99, True),
    # torchvision: up to 32 pixels, of 224. On a small image that would leave nothing.
    "translate_x": (0.0, 32 / 224, True),
    "translate_y": (0.0, 32 / 224, True),
    "rotate": (0.0, 135.0, True),
    "brightness": (0.0, 0.99, True),
    "color": (0.0, 0.99, True),
    "contrast": (0.0, 0.99, True),
    "sharpness": (0.0, 0.99, True),
    "posterize": (8.0, 2.0, False),
    "solarize": (1.0, 0.0, False),
}
NAMES = tuple(RAND)
_GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
_BINS = 31


def draw(
    space: dict[str, tuple[float, float, bool]], count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one operation for each of `count` images.

    space: RAND or TRIVIAL.
    Returns int64 [count], index in NAMES, and float32 [count], its magnitude.
    """
    operations = torch.randint(len(NAMES), (count,), generator=generator)
    bins = torch.randint(_BINS, (count,), generator=generator)
    negative = torch.randint(2, (count,), generator=generator).bool()
    low, high, signed = (
        torch.tensor(values) for values in zip(*(space[name] for name in NAMES), strict=True)
    )
    chosen = low[operations] + (high - low)[operations] * bins / (_BINS - 1)
    return operations, torch.where(signed[operations] & negative, -chosen, chosen)


def apply(images: torch.Tensor, operations: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Apply one operation to each image: uint8 [N, 1 or 3, S, S], changed in place where the operation is not identity.

    operations, magnitudes: as `draw`; on the CPU, so that the host does not wait for the device.
    """
    geometric = torch.isin(operations, torch.tensor([NAMES.index(name) for name in _GEOMETRIC]))
    groups = [(operations == NAMES.index(name), function) for name, function in _PIXELS.items()]
    for chosen, function in [(geometric, None), *groups]:
        if not chosen.any():
            continue
        where = to_device(chosen.nonzero().squeeze(1), images.device)
        selected = images.index_select(0, where)
        if function is None:
            theta = to_device(_inverse_matrices(operations[chosen], magnitudes[chosen]), images.device)
            changed = _warp(selected, theta)
        else:
            changed = function(selected, to_device(magnitudes[chosen], images.device).view(-1, 1, 1, 1))
        images.index_copy_(0, where, changed)
    return images


def _inverse_matrices(operations: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Return float32 [N, 2, 3]: from a place in the output to one in the input, both from -1 to 1."""
    value = {name: torch.where(operations == NAMES.index(name), magnitudes, 0.0) for name in _GEOMETRIC}
    angle = torch.deg2rad(value["rotate"])
    matrices = torch.zeros(len(magnitudes), 2, 3)
    matrices[:, 0, 0] = matrices[:, 1, 1] = torch.cos(angle)
    # A shear keeps the upper or the left edge, as in torchvision; so it also moves the center.
    matrices[:, 0, 1] = value["shear_x"] - torch.sin(angle)
    matrices[:, 1, 0] = value["shear_y"] + torch.sin(angle)
    matrices[:, 0, 2] = value["shear_x"] - 2 * value["translate_x"]
    matrices[:, 1, 2] = value["shear_y"] - 2 * value["translate_y"]
    return matrices


def _warp(images: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """Return the images through the matrices; nearest pixel, black outside, as torchvision."""
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    warped = F.grid_sample(images.float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return warped.to(torch.uint8)


def _blend(images: torch.Tensor, other: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Return `other` at magnitude -1, the images at 0, and the opposite of `other` above. images, other: float32."""
    return torch.lerp(other, images, 1 + magnitudes).clamp_(0, 255).to(torch.uint8)


def _gray(images: torch.Tensor) -> torch.Tensor:
    """Return the luma of ITU-R 601-2 of float32 [N, C, S, S], as [N, 1, S, S], rounded down as torchvision's."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


def _brightness(images: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    return images.float().mul_(1 + magnitudes).clamp_(0, 255).to(torch.uint8)


def _color(images: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    images = images.float()
    return _blend(images, _gray(images), magnitudes)


def _contrast(images: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    images = images.float()
    return _blend(images, _gray(images).mean(dim=(1, 2, 3), keepdim=True), magnitudes)


def _sharpness(images: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Blend with the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13. The outermost pixels stay."""
    values = images.float()
    inner = values[..., 1:-1, 1:-1]
    rows = values[..., :-2, :] + values[..., 1:-1, :] + values[..., 2:, :]
    smooth = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:]).add_(inner, alpha=4).div_(13).round_()
    sharpened = images.clone()
    sharpened[..., 1:-1, 1:-1] = _blend(inner, smooth, magnitudes)
    return sharpened


def _posterize(images: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Keep the highest bits. magnitudes: how many, 0 to 8; rounded."""
    return images & (256 - torch.exp2(8 - magnitudes.round())).to(torch.uint8)


def _solarize(images: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """Invert the pixels from a threshold on. magnitudes: it, 0 to 1."""
    return torch.where(images >= 255 * magnitudes, 255 - images, images)


def _autocontrast(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    from torchvision.transforms.v2 import (
        functional,
    )  # here, because it takes seconds and few trainings need it

    changed: torch.Tensor = functional.autocontrast(images)
    return changed


def _equalize(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    from torchvision.transforms.v2 import functional

    changed: torch.Tensor = functional.equalize(images)
    return changed


_PIXELS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
