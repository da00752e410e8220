"""Random changes of training images: crops, flips, RandAugment or TrivialAugment, and random erasing.

What is random is drawn on the CPU for the global batch, from one generator: the number of ranks changes nothing that the
model sees. What is drawn is then applied to a batch where the batch is, and the host does not wait for a GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

import image_operations
from preprocess import Preprocess
from transfer import to_device

_LAYERS = {"none": 0, "crop-flip": 0, "rand": 2, "trivial": 1}
_SPACES = {"rand": image_operations.RAND, "trivial": image_operations.TRIVIAL}
_ERASED_AREA = (0.02, 0.33)  # share of the image; as torchvision's RandomErasing, with the next line
_ERASED_RATIO = (0.3, 3.3)  # height over width
_SMALL = 48  # pixels up to which a gather is as fast on a CPU as copies of each image


@dataclass(frozen=True, slots=True)
class Changes:
    """What is drawn for N images. On the CPU.

    crops: int64 [N, 3] of top, left and 1 to flip.
    operations: int64 [N, layers], index in image_operations.NAMES.
    magnitudes: float32 [N, layers].
    erased: int64 [N, 4] of top, left, height and width of the erased rectangle; height 0 for none.
    """

    crops: torch.Tensor
    operations: torch.Tensor
    magnitudes: torch.Tensor
    erased: torch.Tensor

    def __getitem__(self, where: slice | torch.Tensor) -> Changes:
        """Return the changes of some of the images."""
        return Changes(self.crops[where], self.operations[where], self.magnitudes[where], self.erased[where])


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The random changes of a training run.

    preprocess: sizes and mean of the images.
    policy: none, crop-flip, rand or trivial; the last two crop and flip too.
    flip: whether half of the images are flipped: not where a mirrored image is of another class.
    erasing: probability that a rectangle of an image gets the mean color.
    """

    preprocess: Preprocess
    policy: str
    flip: bool
    erasing: float = 0.0

    def draw(self, count: int, generator: torch.Generator) -> Changes:
        """Draw the changes of `count` images."""
        crops = random_crops(count, self.preprocess, self.flip, generator)
        layers = [
            image_operations.draw(_SPACES[self.policy], count, generator) for _ in range(_LAYERS[self.policy])
        ]
        operations = [operations for operations, _ in layers]
        magnitudes = [magnitudes for _, magnitudes in layers]
        return Changes(
            crops,
            torch.stack(operations, dim=1) if layers else torch.zeros(count, 0, dtype=torch.int64),
            torch.stack(magnitudes, dim=1) if layers else torch.zeros(count, 0),
            self._draw_erased(count, generator),
        )

    def apply(self, images: torch.Tensor, changes: Changes) -> torch.Tensor:
        """Change uint8 [N, C, resize_size, resize_size] to uint8 [N, C, image_size, image_size], on their device."""
        if self.policy == "none":
            images = self.preprocess.crop(images)
        else:
            images = crop_and_flip(images, changes.crops, self.preprocess)
        for operations, magnitudes in zip(changes.operations.T, changes.magnitudes.T, strict=True):
            images = image_operations.apply(images, operations, magnitudes)
        if self.erasing:
            images = self._erase(images, to_device(changes.erased, images.device))
        return images

    def _draw_erased(self, count: int, generator: torch.Generator) -> torch.Tensor:
        if not self.erasing:
            return torch.zeros(count, 4, dtype=torch.int64)
        size = self.preprocess.image_size
        chosen, area, ratio, top, left = torch.rand(5, count, generator=generator, dtype=torch.float64)
        area = size * size * (_ERASED_AREA[0] + area * (_ERASED_AREA[1] - _ERASED_AREA[0]))
        low, high = (math.log(end) for end in _ERASED_RATIO)
        ratio = torch.exp(low + ratio * (high - low))
        height = (area * ratio).sqrt().round().clamp(1, size - 1)
        width = (area / ratio).sqrt().round().clamp(1, size - 1)
        top, left = (top * (size - height + 1)).floor(), (left * (size - width + 1)).floor()
        height = torch.where(chosen < self.erasing, height, 0.0)
        return torch.stack([top, left, height, width], dim=1).long()

    def _erase(self, images: torch.Tensor, erased: torch.Tensor) -> torch.Tensor:
        top, left, height, width = erased[:, :, None].unbind(dim=1)
        places = torch.arange(self.preprocess.image_size, device=images.device)
        rows = (places >= top) & (places < top + height)
        columns = (places >= left) & (places < left + width)
        mean = (torch.tensor(self.preprocess.mean) * 255).round().to(torch.uint8).view(-1, 1, 1)
        inside = (rows[:, :, None] & columns[:, None, :])[:, None]
        return torch.where(inside, to_device(mean, images.device), images)


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

    crops: as random_crops, on the CPU.
    """
    size = preprocess.image_size
    if preprocess.resize_size == size:
        border = [_margin(preprocess) // 2] * 4
        images = torch.nn.functional.pad(images.float(), border, mode="replicate").to(torch.uint8)
    gather = images.device.type != "cpu" or size <= _SMALL
    return _gather(images, crops, size) if gather else _copy(images, crops, size)


def _gather(images: torch.Tensor, crops: torch.Tensor, size: int) -> torch.Tensor:
    """Crop with one gather for the whole batch: the host has as little to do as it can."""
    top, left, flip = to_device(crops, images.device).unbind(dim=1)
    places = torch.arange(size, device=images.device)
    rows = top[:, None] + places
    columns = left[:, None] + places
    columns = torch.where(flip[:, None].bool(), columns.flip(1), columns)
    # The indices [N, 1, 1], [N, S, 1] and [N, 1, S] select [N, S, S, C].
    number = torch.arange(len(images), device=images.device)
    selected = number[:, None, None], rows[:, :, None], columns[:, None, :]
    return images.permute(0, 2, 3, 1)[selected].permute(0, 3, 1, 2).contiguous()


def _copy(images: torch.Tensor, crops: torch.Tensor, size: int) -> torch.Tensor:
    """Crop image by image, which is 17 times as fast as `_gather` on a CPU at 224 pixels."""
    cropped = images.new_empty(len(images), images.shape[1], size, size)
    for image, out, (top, left, flip) in zip(images, cropped, crops.tolist(), strict=True):
        part = image[:, top : top + size, left : left + size]
        out.copy_(part.flip(2) if flip else part)
    return cropped


def _margin(preprocess: Preprocess) -> int:
    """Return how far a crop can move, in pixels: the margin evaluation cuts off, or an eighth of the image."""
    return preprocess.resize_size - preprocess.image_size or preprocess.image_size // 16 * 2
