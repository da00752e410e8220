"""Random crops and horizontal flips of training images."""

from __future__ import annotations

import torch

from preprocess import Preprocess


def random_crops(count: int, preprocess: Preprocess, flip: bool, generator: torch.Generator) -> torch.Tensor:
    """Draw crops for `count` images: int64 [count, 3] of top, left and 1 to flip.

    flip: whether half of the images are flipped; otherwise none.
    """
    corners = torch.randint(_margin(preprocess) + 1, (count, 2), generator=generator)
    flips = torch.randint(2, (count, 1), generator=generator) * int(flip)
    return torch.cat([corners, flips], dim=1)


def crop_and_flip(images: torch.Tensor, crops: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """Crop uint8 [N, C, resize_size, resize_size] to uint8 [N, C, image_size, image_size].

    Crops move over the margin that evaluation cuts off. Where there is none, they move over a border that repeats the
    image's edge.
    """
    size = preprocess.image_size
    if preprocess.resize_size == size:
        border = [_margin(preprocess) // 2] * 4
        images = torch.nn.functional.pad(images.float(), border, mode="replicate").to(torch.uint8)
    top, left, flip = crops.unbind(dim=1)
    rows = top[:, None] + torch.arange(size)
    columns = left[:, None] + torch.arange(size)
    columns = torch.where(flip[:, None].bool(), columns.flip(1), columns)
    # One gather for the whole batch: indices [N, 1, 1], [N, S, 1] and [N, 1, S] select [N, S, S, C].
    selected = torch.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]
    return images.permute(0, 2, 3, 1)[selected].permute(0, 3, 1, 2)


def _margin(preprocess: Preprocess) -> int:
    """Return how far a crop can move, in pixels: the margin evaluation cuts off, or an eighth of the image."""
    return preprocess.resize_size - preprocess.image_size or preprocess.image_size // 16 * 2
