"""Images of other formats, and images too large for a request, are stored as PNG with the same pixels."""

import io
import shutil

import numpy
import pytest
from PIL import Image

from ml.container import images
from ml.jobs.data import conversion, manifest, validate
from ml.jobs.data.manifest import Manifest
from tests.ml.jobs.data.pictures import picture


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "PPM", "AVIF"])
def test_other_formats_become_png_with_the_same_pixels(kind):
    content = encode(Image.effect_noise((30, 20), 90).convert("RGB"), kind)
    assert conversion.reason(content) == kind
    png = conversion.to_png(content)
    assert images.identify(png) == "PNG"
    assert images.decode_image(png).tobytes() == images.decode_image(content).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_formats_of_the_web_are_stored_as_they_are(kind):
    assert conversion.reason(encode(Image.new("RGB", (30, 20)), kind)) == ""


def test_an_image_that_no_request_can_carry_is_reduced():
    noise = numpy.random.default_rng(0).integers(0, 256, (1500, 1000, 3), dtype="uint8")
    content = encode(Image.fromarray(noise), "PNG", compress_level=0)
    assert conversion.reason(content) == "PNG over 4 MiB"
    png = conversion.to_png(content)
    assert len(png) <= conversion.MAX_BYTES
    width, height = images.decode_image(png).size
    assert 2 * height == pytest.approx(3 * width, abs=3) and width > 600, (
        "the same shape, not smaller than needed"
    )


def test_converted_images_are_named_and_counted_in_the_manifest(tree):
    picture(tree / "train/cat/x.bmp", 60)
    (tree / "train/cat/y.jpg").write_bytes((tree / "train/cat/x.bmp").read_bytes()[:-3] + b"abc")
    picture(tree / "test/dog/z.tif", 61)
    assert validate(tree).problems == []
    made = manifest(tree)
    assert made.converted == {
        "BMP": ["train/cat/x.bmp.png", "train/cat/y.jpg.png"],
        "TIFF": ["test/dog/z.tif.png"],
    }
    assert sum(made.counts["train"].values()) == 11
    assert Manifest.from_json(made.to_json()) == made


def test_a_converted_image_takes_nobody_s_name(tree):
    picture(tree / "train/cat/x.bmp", 60)
    shutil.copy(picture(tree / "train/cat/X.bmp.png", 61), tree / "train/cat/x.bmp-2.PNG")
    made = manifest(tree)
    assert len(made.files) == 30 and len({key.casefold() for key in made.files}) == 30
    assert made.sources[made.converted["BMP"][0]].endswith("/x.bmp")
