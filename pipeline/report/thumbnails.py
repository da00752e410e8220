"""Small copies of the data set's images, as data: URIs inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from ml.container import images
from ml.jobs import data
from ops import s3
from ops.environment import Environment

LARGE, SMALL = 96, 48  # pixels of the longer side
_QUALITY = 72  # of JPEG
_AS_IT_IS = 32  # pixels up to which an image is kept as PNG: JPEG would blur it
_WORKERS = 16


class Thumbnails:
    """Reads images of data sets from S3, and makes them small."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def of(self, dataset: str, keys: Iterable[str], side: int = LARGE) -> dict[str, str]:
        """Return the data: URI of each image. Those that are missing or cannot be decoded are left out.

        keys: `<split>/<class>/<file>`.
        side: length of the longer side in pixels, at most.
        """
        wanted = list(dict.fromkeys(keys))
        with ThreadPoolExecutor(_WORKERS) as pool:
            made = list(pool.map(lambda key: self._make(f"{data.PREFIX}/{dataset}/{key}", side), wanted))
        return {key: found for key, found in zip(wanted, made, strict=True) if found}

    def _make(self, key: str, side: int) -> str | None:
        content = s3.get(self._env, s3.in_data_bucket(self._env, key))
        return None if content is None else thumbnail(content, side)


def thumbnail(content: bytes, side: int) -> str | None:
    """Return an image as data: URI of at most side × side pixels; None if it cannot be decoded."""
    try:
        image = images.decode_image(content, "RGB", (side, side))
    except images.ImageError:
        return None
    buffer = io.BytesIO()
    if max(image.size) <= _AS_IT_IS:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
