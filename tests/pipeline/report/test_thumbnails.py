"""Thumbnails: small, in the page, of every format; bad images are left out."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from pipeline.report.thumbnails import Thumbnails, thumbnail
from tests.conftest import BUCKET


def encoded(width: int, height: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((500, 375), (96, 72)),
        ((375, 500), (72, 96)),
        ((96, 96), (96, 96)),
        ((4000, 10), (96, 1)),
        ((40, 60), (40, 60)),
    ],
)
def test_the_longer_side_is_limited_and_nothing_is_enlarged(size, expected):
    made = thumbnail(encoded(*size), 96)
    assert made is not None and made.startswith("data:image/jpeg;base64,")
    assert opened(made).size == expected
    assert len(made) < 6000


def test_a_tiny_image_keeps_its_pixels():
    made = thumbnail(encoded(8, 8, mode="L"), 96)
    assert made is not None and made.startswith("data:image/png;base64,")
    assert opened(made).convert("L").tobytes() == Image.open(io.BytesIO(encoded(8, 8, mode="L"))).tobytes()


@pytest.mark.parametrize("content", [b"", b"text", encoded(50, 50)[:60]])
def test_what_is_no_image_is_left_out(content):
    assert thumbnail(content, 96) is None


def test_images_are_read_from_the_bucket_and_missing_ones_left_out(account, dev):
    dev.client("s3").put_object(Bucket=BUCKET, Key="datasets/sample/train/0/0.png", Body=encoded(50, 40))
    dev.client("s3").put_object(Bucket=BUCKET, Key="datasets/sample/train/0/bad.png", Body=b"bad")
    found = Thumbnails(dev).of(
        "sample", ["train/0/0.png", "train/0/bad.png", "train/0/none.png", "train/0/0.png"]
    )
    assert list(found) == ["train/0/0.png"]
