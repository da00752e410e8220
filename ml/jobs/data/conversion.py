"""Which images are stored as PNG instead of the file itself: other formats, and files that no request can carry."""

from __future__ import annotations

from PIL import Image

from ml.container import images

STORED = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 4 * 2**20  # the smallest limit of a request, that of a serverless endpoint
_OVERSIZED = f"over {MAX_BYTES // 2**20} MiB"
_MARGIN = 0.9


def reason(content: bytes) -> str:
    """Return why an image is stored as PNG, such as `BMP` or `JPEG over 4 MiB`; empty if it is stored as it is."""
    kind: str | None = images.identify(content[: images.HEAD_BYTES])
    if kind is None:
        return ""
    if kind not in STORED:
        return kind
    return f"{kind} {_OVERSIZED}" if len(content) > MAX_BYTES else ""


def to_png(content: bytes) -> bytes:
    """Return an image as PNG with the pixels that the model sees, reduced if it is larger than MAX_BYTES.

    Raises ml.container.images.ImageError.
    """
    image: Image.Image = images.decode_image(content)
    while True:
        png: bytes = images.to_png(image)
        if len(png) <= MAX_BYTES:
            return png
        scale = (MAX_BYTES / len(png)) ** 0.5 * _MARGIN
        size = tuple(max(1, round(side * scale)) for side in image.size)
        image = image.resize(size, Image.Resampling.LANCZOS)
