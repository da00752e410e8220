"""The transform that training and serving share: from the bytes of an image to the model's input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from PIL import Image, ImageOps

from images import decode_image


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Decode, resize and normalize, as recorded in model.json.

    image_size: height and width of the model's input, in pixels.
    resize_size: length of the shorter side before the center crop, in pixels.
    channels: 1 (grayscale) or 3 (RGB).
    mean: per channel, of values in [0, 1].
    std: per channel, of values in [0, 1].
    """

    image_size: int
    resize_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Preprocess:
        """Return the transform that a JSON object, such as model.json, describes. Ignores its other members."""
        values = {item.name: description[item.name] for item in fields(cls)}
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})

    @property
    def mode(self) -> str:
        """PIL's name of the color space."""
        return "L" if self.channels == 1 else "RGB"

    def decode(self, data: bytes) -> torch.Tensor:
        """Decode an image of any format of images.MEDIA_TYPES to uint8 [channels, resize_size, resize_size].

        Resizes the shorter side to resize_size and crops the center square. Raises ImageError as decode_image.
        """
        size = (self.resize_size, self.resize_size)
        image = decode_image(data, self.mode, size)
        image = ImageOps.fit(image.convert(self.mode), size, Image.Resampling.BILINEAR)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        return pixels.view(self.resize_size, self.resize_size, self.channels).permute(2, 0, 1).contiguous()

    def crop(self, images: torch.Tensor) -> torch.Tensor:
        """Crop the center: [N, channels, resize_size, resize_size] to [N, channels, image_size, image_size]."""
        start = (self.resize_size - self.image_size) // 2
        return images[..., start : start + self.image_size, start : start + self.image_size]

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Convert uint8 [N, channels, H, W] to float32, scaled to [0, 1] and normalized with mean and std."""
        mean = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(-1, 1, 1)
        return (images.float() / 255 - mean) / std
