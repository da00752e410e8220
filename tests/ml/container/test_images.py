"""The decoder: formats by content, 8 bits, upright, opaque; what is refused, and with which words."""

import io
import struct
import zlib

import pytest
from PIL import Image, TiffImagePlugin, features

import images
from images import ImageError, ImageTooLargeError, TruncatedError, UnknownFormatError, decode_image

SIZE = (24, 18)


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(mode: str, left, right) -> Image.Image:
    """Return an image of two colors."""
    image = Image.new(mode, SIZE, left)
    image.paste(right, (SIZE[0] // 2, 0, *SIZE))
    return image


def png(color: int, bits: int, rows: list[bytes], *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of 8 pixels width, which Pillow cannot write. chunks: after the header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 8, len(rows), bits, color, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def colors(data: bytes) -> set:
    image = decode_image(data)
    return {color for _, color in image.getcolors(2**16)}


@pytest.mark.parametrize("kind", images.MEDIA_TYPES)
def test_every_format_is_recognized_by_its_content_and_decoded(kind):
    assert features.check("avif"), "Pillow's wheels have AVIF since 11.3"
    data = encode(Image.new("RGB", SIZE, (200, 100, 50)), kind)
    assert images.identify(data[: images.HEAD_BYTES]) == kind
    image = decode_image(data)
    assert (image.mode, image.size, image.info) == ("RGB", SIZE, {})
    assert all(
        abs(have - want) < 5 for have, want in zip(image.getpixel((4, 4)), (200, 100, 50), strict=True)
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM"])
def test_shades_of_gray_stay_gray(kind):
    data = encode(halves("L", 0, 255), kind)
    assert images.is_gray(data) and decode_image(data).mode == "L"
    assert not images.is_gray(encode(halves("RGB", "red", "blue"), kind))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind):
    image = Image.new("I;16", SIZE, 0x80FF)
    assert colors(encode(image, kind)) == {0x80}


@pytest.mark.parametrize(("mode", "kind"), [("I", "TIFF"), ("F", "TIFF"), ("LAB", "TIFF")])
def test_numbers_of_unknown_range_are_refused(mode, kind):
    with pytest.raises(
        ImageError, match=rf"mode {mode}, which has no known range .*; convert it to gray or RGB"
    ):
        decode_image(encode(Image.new(mode, SIZE), kind))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_the_hidden_color_of_transparent_pixels_is_not_seen(kind):
    image = halves("RGBA", (255, 0, 0, 0), (0, 0, 0, 255))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert colors(encode(image, kind, **options)) in ({(255, 255, 255), (0, 0, 0)}, {255, 0})


def test_half_transparent_pixels_are_mixed_with_white():
    assert colors(encode(Image.new("RGBA", SIZE, (0, 0, 0, 127)))) == {(128, 128, 128)}
    assert colors(encode(Image.new("LA", SIZE, (0, 127)))) == {128}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(0, 1, [b"\x0f"] * 8, (b"tRNS", b"\0\1")), {0, 255}),
        (png(0, 2, [b"\x00\x55"] * 8, (b"tRNS", b"\0\1")), {0, 255}),
        (png(0, 4, [b"\x00\x00\x77\x77"] * 8, (b"tRNS", b"\0\7")), {0, 255}),
        (png(0, 8, [bytes([0] * 4 + [7] * 4)] * 8, (b"tRNS", b"\0\7")), {0, 255}),
        (png(0, 16, [b"\0\0" * 4 + b"\7\1" * 4] * 8, (b"tRNS", b"\7\1")), {0, 255}),
        (png(0, 16, [b"\0\0" * 4 + b"\7\2" * 4] * 8, (b"tRNS", b"\7\1")), {0, 7}),
        (png(2, 8, [b"\1\2\3" * 8] * 8, (b"tRNS", b"\0\1\0\2\0\3")), {(255, 255, 255)}),
        (png(2, 8, [b"\1\2\4" * 8] * 8, (b"tRNS", b"\0\1\0\2\0\3")), {(1, 2, 4)}),
        (png(2, 16, [b"\1\0\2\0\3\0" * 8] * 8, (b"tRNS", b"\1\0\2\0\3\0")), {(255, 255, 255)}),
        (
            png(3, 8, [b"\0\1" * 4] * 8, (b"PLTE", b"\xff\0\0\0\0\xff"), (b"tRNS", b"\0")),
            {(255, 255, 255), (0, 0, 255)},
        ),
    ],
    ids=[
        "1 bit",
        "2 bits",
        "4 bits",
        "8 bits",
        "16 bits",
        "16 bits, other",
        "RGB",
        "RGB, other",
        "RGB 16 bits",
        "palette",
    ],
)
def test_the_transparent_color_of_a_png_is_white(data, expected):
    assert colors(data) == expected


def test_cmyk_and_its_inverted_form_are_rgb():
    for kind in ("JPEG", "TIFF"):
        red, green, blue = decode_image(encode(Image.new("CMYK", SIZE, (0, 255, 255, 0)), kind)).getpixel(
            (5, 5)
        )
        assert red > 250 and green < 5 and blue < 5


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_or_page_counts(kind):
    first, second = Image.new("RGB", SIZE, "black"), Image.new("RGB", SIZE, "white")
    pixels = colors(encode(first, kind, save_all=True, append_images=[second]))
    assert pixels in ({(0, 0, 0)}, {0})


def test_the_orientation_counts_even_if_the_resolution_is_a_text():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(halves("RGB", "black", "white"), "JPEG", exif=_with_text_resolution(exif))
    image = decode_image(data)
    assert image.size == SIZE[::-1], "turned by 90 degrees"
    assert image.getpixel((9, 2))[0] < 30 and image.getpixel((9, 21))[0] > 225


def _with_text_resolution(exif: Image.Exif) -> bytes:
    """Return EXIF data with the orientation of `exif`, and XResolution as a text, as some phones write it."""
    entries = [
        struct.pack("<HHI", 0x0112, 3, 1) + struct.pack("<HH", exif[0x0112], 0),
        struct.pack("<HHI4s", 0x011A, 2, 3, b"72\0\0"),
        struct.pack("<HHI4s", 0x011B, 2, 3, b"72\0\0"),
    ]
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 3) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\0" * 40]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_data_means_no_rotation(kind, exif):
    image = halves("RGB", "black", "white")
    assert decode_image(encode(image, kind, exif=exif)).size == SIZE


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_means_no_rotation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert decode_image(encode(halves("RGB", "black", "white"), "JPEG", exif=exif)).size == SIZE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF"])
def test_a_truncated_file_is_refused_and_never_half_decoded(kind):
    data = encode(Image.effect_noise((64, 64), 90), kind)
    for length in (len(data) * 3 // 4, len(data) // 2, len(data) // 4):
        with pytest.raises(ImageError):
            decode_image(data[:length])
    if kind in ("JPEG", "PNG", "PPM"):
        with pytest.raises(TruncatedError, match=f"the {kind} image is truncated"):
            decode_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "an empty file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"<!DOCTYPE html><p>Not found", "a web page"),
        (b"%PDF-1.7", "PDF"),
        (b"file,label\n1.png,cat\n", "text"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"\xfe\xfe\0\0", "an unknown format"),
        (encode(Image.new("RGB", SIZE), "ICO"), "an icon"),
        (encode(Image.new("RGB", SIZE), "JPEG2000"), "JPEG 2000"),
    ],
)
def test_other_files_are_refused_by_what_they_are(data, name):
    with pytest.raises(UnknownFormatError, match=f"it is {name}, not one of JPEG, PNG"):
        decode_image(data)


def test_the_preview_of_a_camera_raw_file_is_no_image():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1  # "reduced-resolution version of another image", as in DNG, NEF and ARW
    with pytest.raises(UnknownFormatError, match=r"its first page is a preview.*convert it to TIFF or JPEG"):
        decode_image(encode(Image.new("RGB", SIZE), "TIFF", tiffinfo=tags))


def test_a_pillow_without_avif_says_so(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(ImageError, match="cannot decode AVIF; send the image as PNG or JPEG"):
        decode_image(encode(Image.new("RGB", SIZE), "AVIF"))


def test_too_many_pixels_are_refused_before_they_are_decoded():
    data = bytearray(encode(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(ImageTooLargeError, match=r"60000 x 60000 pixels; at most 50,000,000"):
        decode_image(bytes(data))


ALL_MODES = ("L", "RGB", "RGBA", "P", "I;16")
WRITTEN = {"JPEG": ("L", "RGB", "CMYK"), "BMP": ("1", "L", "RGB", "RGBA", "P"), "PPM": ("L", "RGB", "I;16")}


@pytest.mark.parametrize(
    ("kind", "mode"), [(kind, mode) for kind in images.MEDIA_TYPES for mode in WRITTEN.get(kind, ALL_MODES)]
)
def test_the_png_of_a_decoded_image_decodes_to_the_same(kind, mode):
    image = decode_image(encode(Image.effect_noise(SIZE, 90).convert(mode), kind))
    again = decode_image(images.to_png(image))
    assert (again.mode, again.size, again.tobytes()) == (image.mode, image.size, image.tobytes())
