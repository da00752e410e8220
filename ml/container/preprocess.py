"""The one transform that training and serving share: from picture bytes to the model's input."""

from __future__ import annotations

import io
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps

from errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MAX_PIXELS = 50_000_000
# PIL warns and raises at limits of its own; ours is checked right after the header is read.
Image.MAX_IMAGE_PIXELS = None


class ImageError(InputError):
    """The bytes are not a picture that can be decoded."""


class ImageTooLargeError(ImageError):
    """The picture has more than MAX_PIXELS pixels."""


@dataclass(frozen=True)
class Preprocess:
    """Decode, resize and normalise, as recorded in model.json.

    image_size: side of the square the model sees, in pixels.
    resize_size: length the shorter side is resized to before the centre is cropped, in pixels.
    channels: 1 (grayscale) or 3 (RGB).
    mean, std: per channel, of values in [0, 1].
    """

    image_size: int
    resize_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def mode(self) -> str:
        """PIL's name of the colour space."""
        return "L" if self.channels == 1 else "RGB"

    def decode(self, data: bytes) -> torch.Tensor:
        """Decode a JPEG, PNG or WebP picture to uint8 [channels, resize_size, resize_size].

        The shorter side is resized to resize_size and the centre square is kept.
        Raises ImageTooLargeError above MAX_PIXELS pixels, ImageError for anything else it cannot decode.
        """
        image = open_image(data)
        size = (self.resize_size, self.resize_size)
        try:
            image.draft(self.mode, size)  # JPEG decodes at a reduced scale where that is large enough
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits: PIL would clip, not scale
                image = image.convert("I").point(lambda value: value * (1 / 256))
            image = ImageOps.fit(image.convert(self.mode), size, Image.Resampling.BILINEAR)
        except Exception as error:  # PIL's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
            raise ImageError(f"the picture cannot be decoded: {error}") from error
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        return pixels.view(self.resize_size, self.resize_size, self.channels).permute(2, 0, 1).contiguous()

    def crop(self, images: torch.Tensor) -> torch.Tensor:
        """The centre of [N, channels, resize_size, resize_size] as [N, channels, image_size, image_size]."""
        start = (self.resize_size - self.image_size) // 2
        return images[..., start : start + self.image_size, start : start + self.image_size]

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Turn uint8 [N, channels, H, W] in [0, 255] into float32 with the recorded mean and deviation."""
        mean = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(-1, 1, 1)
        return (images.float() / 255 - mean) / std


def open_image(data: bytes) -> Image.Image:
    """Read a picture's header. Raises ImageTooLargeError or ImageError."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # see decode: the parsers of headers are no more uniform
        raise ImageError(f"the {len(data)} bytes are not a {', '.join(FORMATS)} picture") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(
            f"the picture has {width} x {height} pixels; at most {MAX_PIXELS:,} are accepted"
        )
    return image
