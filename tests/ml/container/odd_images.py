"""Strategies for image files as they are found: legal, odd, damaged."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

MODES = {
    "JPEG": ("L", "RGB", "CMYK", "1"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA", "L"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "GIF": ("L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "AVIF": ("RGB", "RGBA", "L"),
}
_EXIF_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 12: 8}  # bytes by type


@st.composite
def exif(draw: st.DrawFn) -> bytes:
    """EXIF data with an orientation, of which tags, types, counts and offsets may be damaged."""
    order = draw(st.sampled_from("<>"))
    entries = []
    if draw(st.booleans()):
        orientation = draw(st.one_of(st.integers(1, 8), st.integers(0, 65535)))
        kind = draw(st.sampled_from([3, 3, 3, *_EXIF_TYPES]))
        entries.append(
            struct.pack(f"{order}HHI", 0x0112, kind, 1) + struct.pack(f"{order}HH", orientation, 0)
        )
    for _ in range(draw(st.integers(0, 3))):
        tag = draw(st.sampled_from([0x011A, 0x011B, 0x0128, 0x8769, 0x8825, 0x0132, 0x927C, 0x00FE]))
        count = draw(st.sampled_from([0, 1, 2, 3, 100, 2**31]))
        entry = struct.pack(f"{order}HHI", tag, draw(st.sampled_from([*_EXIF_TYPES, 0, 99])), count)
        entries.append(entry + draw(st.binary(min_size=4, max_size=4)))
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    body = start + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + draw(st.binary(max_size=12))
    cut = draw(st.one_of(st.just(len(body)), st.integers(0, len(body))))
    return draw(st.sampled_from([b"Exif\0\0", b"Exif\0\0", b""])) + body[:cut]


@st.composite
def pictures(draw: st.DrawFn, mode: str) -> Image.Image:
    """Noise or one color, from 1 to 40 pixels a side."""
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    noise = random.Random(draw(st.integers(0, 9)))
    image = Image.frombytes("RGBA", size, noise.randbytes(4 * size[0] * size[1]))
    if draw(st.booleans()):
        image = Image.new("RGBA", size, tuple(noise.randrange(256) for _ in range(4)))
    if mode == "I;16":
        return Image.frombytes("I;16", size, noise.randbytes(2 * size[0] * size[1]))
    if mode == "LAB":
        return Image.new("LAB", size)
    return (
        image.convert("RGB").convert(mode)
        if mode in ("CMYK", "YCbCr", "P", "I", "F")
        else image.convert(mode)
    )


def _options(draw: st.DrawFn, kind: str, image: Image.Image) -> dict[str, Any]:
    """Options of Image.save."""
    found: dict[str, Any] = {}
    if kind in ("JPEG", "PNG", "WEBP", "AVIF") and draw(st.booleans()):
        found["exif"] = draw(exif())
    if kind in ("JPEG", "PNG", "WEBP", "TIFF") and draw(st.booleans()):
        found["icc_profile"] = draw(st.binary(min_size=1, max_size=200))
    if kind == "JPEG":
        found |= {"quality": draw(st.sampled_from([1, 50, 100])), "progressive": draw(st.booleans())}
    if kind == "WEBP":
        found["lossless"] = draw(st.booleans())
    if kind == "AVIF":
        found["speed"] = 10
    if kind in ("PNG", "GIF") and image.mode in ("1", "L", "P") and draw(st.booleans()):
        found["transparency"] = draw(st.integers(0, 255))
    if kind == "PNG" and image.mode == "P" and draw(st.booleans()):
        found["bits"] = draw(st.sampled_from([1, 2, 4]))
    if kind == "GIF":
        found["interlace"] = draw(st.integers(0, 1))
    if kind == "TIFF":
        allowed = [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"]
        found["compression"] = draw(st.sampled_from([*allowed, "group4"] if image.mode == "1" else allowed))
        found["tiffinfo"] = _tiff_tags(draw, plain=found["compression"] is None)
    if kind in ("GIF", "TIFF", "WEBP", "PNG") and draw(st.booleans()):
        found |= {"save_all": True, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    return found


def _tiff_tags(draw: st.DrawFn, plain: bool) -> TiffImagePlugin.ImageFileDirectory_v2:
    """An orientation and, in a file that libtiff does not write (plain), values that do not exist."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112] = draw(st.integers(0, 9) if plain else st.integers(1, 8))
    if plain and draw(st.booleans()):
        tags.tagtype[0x011A] = 2
        tags[0x011A] = "72"
    return tags


def _interlaced(image: Image.Image) -> bytes:
    """Return a gray image as an interlaced PNG, which Pillow does not write."""
    rows = bytearray()
    for x0, y0, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        for y in range(y0, image.height, dy):
            if line := bytes(image.getpixel((x, y)) for x in range(x0, image.width, dx)):
                rows += b"\0" + line
    header = struct.pack(">IIBBBBB", *image.size, 8, 0, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    packed = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _plain(draw: st.DrawFn) -> bytes:
    """A PGM or PPM as text or bytes, with a comment and a depth that is no power of two."""
    plain, color = draw(st.booleans()), draw(st.booleans())
    width, height, depth = (
        draw(st.integers(1, 20)),
        draw(st.integers(1, 20)),
        draw(st.sampled_from([1, 100, 255, 1023])),
    )
    noise = random.Random(draw(st.integers(0, 9)))
    values = [noise.randint(0, depth) for _ in range(width * height * (3 if color else 1))]
    number = (2 if plain else 5) + color
    comment = draw(st.sampled_from(["", "# a comment\n"]))
    header = f"P{number}\n{comment}{width} {height}\n{depth}\n".encode()
    if plain:
        return header + " ".join(map(str, values)).encode() + b"\n"
    return header + b"".join(value.to_bytes(1 if depth < 256 else 2, "big") for value in values)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of any format that is understood, sometimes cut off or with a changed byte."""
    kind = draw(st.sampled_from([*MODES, "interlaced", "plain"]))
    if kind == "interlaced":
        data = _interlaced(draw(pictures("L")))
    elif kind == "plain":
        data = _plain(draw)
    else:
        image = draw(pictures(draw(st.sampled_from(MODES[kind]))))
        buffer = io.BytesIO()
        try:
            image.save(buffer, kind, **_options(draw, kind, image))
        except (OSError, ValueError, KeyError, TypeError, SyntaxError, struct.error, AttributeError):
            # Pillow does not write every combination, nor damaged EXIF data to every format.
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, kind)
        data = buffer.getvalue()
    damage = draw(st.sampled_from(["", "", "", "cut", "change"]))
    if damage == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if damage == "change":
        at = draw(st.integers(0, len(data) - 1))
        return data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :]
    return data
