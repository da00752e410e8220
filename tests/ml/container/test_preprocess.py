"""The transform of training and serving: accepted formats, refused bytes, exact tensors."""

import io
import struct
import zlib

import pytest
import torch
from PIL import Image

from images import ImageError, ImageTooLargeError
from preprocess import Preprocess

RGB = Preprocess(image_size=8, resize_size=10, channels=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
GRAY = Preprocess(image_size=8, resize_size=8, channels=1, mean=(0.5,), std=(0.5,))


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_decode_accepts_every_format(kind):
    image = RGB.decode(encode(Image.new("RGB", (40, 30), (200, 100, 50)), kind))
    assert image.shape == (3, 10, 10)
    assert image.dtype == torch.uint8
    assert (image.float().mean(dim=(1, 2)) - torch.tensor([200.0, 100.0, 50.0])).abs().max() < 4


def test_decode_keeps_the_pixels_of_an_image_that_has_the_size():
    image = Image.new("L", (8, 8))
    image.putdata(list(range(64)))
    assert GRAY.decode(encode(image)).flatten().tolist() == list(range(64))


def test_decode_keeps_the_center_of_a_wide_image():
    image = Image.new("L", (24, 8), 0)
    image.paste(255, (8, 0, 16, 8))
    assert GRAY.decode(encode(image)).min() == 255


def test_decode_converts_color_to_the_model_s_channels():
    gray = GRAY.decode(encode(Image.new("RGB", (8, 8), (255, 0, 0))))
    assert gray.unique().tolist() == [76]  # ITU-R 601 luma of red
    assert RGB.decode(encode(Image.new("L", (8, 8), 7))).unique().tolist() == [7]


def test_decode_scales_sixteen_bit_images():
    image = Image.new("I;16", (8, 8), 0x8000)
    assert GRAY.decode(encode(image)).unique().tolist() == [0x80]


def test_decode_applies_the_exif_orientation():
    image = Image.new("RGB", (16, 16), "black")
    image.paste((255, 255, 255), (0, 0, 16, 8))  # white above black
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    decoded = RGB.decode(encode(image, "JPEG", exif=exif))
    assert decoded[:, 0].float().mean() < 20
    assert decoded[:, -1].float().mean() > 235


def test_crop_takes_the_center_and_normalize_applies_mean_and_std():
    images = torch.zeros(2, 3, 10, 10, dtype=torch.uint8)
    images[:, :, 1:9, 1:9] = 255
    cropped = RGB.crop(images)
    assert cropped.shape == (2, 3, 8, 8)
    assert cropped.min() == 255
    assert RGB.normalize(cropped)[0, :, 0, 0].tolist() == [1.0, 1.0, 0.0]
    assert RGB.normalize(cropped * 0)[0, :, 0, 0].tolist() == [0.0, -1.0, -4.0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        encode(Image.new("RGB", (8, 8)), "ICO"),
        encode(Image.effect_noise((64, 64), 90))[:200],
        encode(Image.effect_noise((64, 64), 90), "JPEG")[:500],
    ],
    ids=["empty", "text", "icon", "truncated png", "truncated jpeg"],
)
def test_decode_refuses_incomplete_and_unknown_files(data):
    with pytest.raises(ImageError):
        GRAY.decode(data)


def test_decode_refuses_too_many_pixels_before_decoding():
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
    with pytest.raises(ImageTooLargeError, match="10000 x 10000"):
        GRAY.decode(data)
