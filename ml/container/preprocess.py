"""The transform that training and serving share: from the bytes of an image to the model's input."""

from __future__ import annotations

import io
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps

from errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MAX_PIXELS = 50_000_000
# Disable PIL's own limit. open_image checks ours right after reading the header.
Image.MAX_IMAGE_PIXELS = None


class ImageError(InputError):
    """The bytes are not an image that can be decoded."""


class ImageTooLargeError(ImageError):
    """The image has more than MAX_PIXELS pixels."""


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

    @property
    def mode(self) -> str:
        """PIL's name of the color space."""
        return "L" if self.channels == 1 else "RGB"

    def decode(self, data: bytes) -> torch.Tensor:
        """Decode a JPEG, PNG or WebP image to uint8 [channels, resize_size, resize_size].

        Resizes the shorter side to resize_size and crops the center square.
        Raises ImageTooLargeError above MAX_PIXELS pixels, ImageError for anything it cannot decode.
        """
        image = open_image(data)
        size = (self.resize_size, self.resize_size)
        try:
            image.draft(self.mode, size)  # decodes a large JPEG at a reduced scale, which is faster
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits: PIL would clip instead of scaling
                image = image.convert("I").point(lambda value: value * (1 / 256))
            image = ImageOps.fit(image.convert(self.mode), size, Image.Resampling.BILINEAR)
        except Exception as error:  # PIL's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
            raise ImageError(f"the image cannot be decoded: {error}") from error
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


def open_image(data: bytes) -> Image.Image:
    """Read an image's header. Raises ImageTooLargeError or ImageError."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # as in decode, PIL raises many types
        raise ImageError(f"the {len(data)} bytes are not a {', '.join(FORMATS)} image") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(
            f"the image has {width} x {height} pixels; at most {MAX_PIXELS:,} are allowed"
        )
    return image
