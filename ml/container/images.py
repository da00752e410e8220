"""The one decoder of images: checks, training and the endpoint read the same pixels from the same bytes.

It needs Pillow and nothing else, because the operator's machine and both containers import it. Every image becomes "L" or
"RGB" with 8 bits: the first frame or page, rotated as its EXIF data says, transparent pixels on white. The format is
recognized by content. Color profiles are not applied.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

# Formats by Pillow's name. lambda_function/image_formats.py has the same, and the same `identify`; a test compares them.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "PPM": "image/x-portable-anymap",
    "AVIF": "image/avif",
}
HEAD_BYTES = 512  # what `identify` needs
MAX_PIXELS = 50_000_000
NAMES = "JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, PGM and AVIF"

_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes, by version of the format
_ORIENTATION = 0x0112
_SUBFILE_TYPE, _REDUCED = 254, 1  # a TIFF tag, and its value for a smaller version of another page
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GRAY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_SAMPLE_BITS = {"L;2": 2, "L;4": 4}  # PNG's rawmodes, which Pillow scales to 8 bits

_Matches = Callable[[bytes], bool]
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_OTHER_IMAGES: tuple[tuple[str, _Matches], ...] = (
    ("HEIC", lambda h: h[4:8] == b"ftyp" and h[8:12] in _HEIC),
    (
        "camera raw",
        lambda h: h[4:12] == b"ftypcrx " or h[:4] in (b"IIRO", b"IIRS", b"IIU\0") or h[:8] == b"FUJIFILM",
    ),
    ("JPEG 2000", lambda h: h[:4] == b"\xff\x4f\xff\x51" or h[4:8] == b"jP  "),
    ("JPEG XL", lambda h: h[:2] == b"\xff\x0a" or h[4:8] == b"JXL "),
    ("SVG", lambda h: b"<svg" in h.lower()),
    ("Photoshop", lambda h: h[:4] == b"8BPS"),
    ("an icon", lambda h: h[:4] in (b"\0\0\1\0", b"\0\0\2\0")),
    ("DICOM", lambda h: h[128:132] == b"DICM"),
)
_NO_IMAGES: tuple[tuple[str, _Matches], ...] = (
    ("an empty file", lambda h: not h),
    ("a video", lambda h: h[4:8] == b"ftyp" or h[:4] == b"\x1aE\xdf\xa3"),
    ("a web page", lambda h: b"<html" in h.lower() or b"<!doctype html" in h.lower()),
    ("PDF", lambda h: h[:5] == b"%PDF-"),
    ("a NumPy array", lambda h: h[:6] == b"\x93NUMPY"),
    ("an archive", lambda h: h[:4] in (b"PK\3\4", b"Rar!", b"7z\xbc\xaf") or h[:2] == b"\x1f\x8b"),
    ("text", lambda h: h.isascii() and b"\0" not in h),
)

# Disable Pillow's own limit, which warns between one and two times its size. `open_image` checks ours.
Image.MAX_IMAGE_PIXELS = None


class ImageError(Exception):
    """The bytes are not an image that can be decoded."""


class UnknownFormatError(ImageError):
    """The bytes are of no format that is understood."""


class TruncatedError(ImageError):
    """The image ends before its last pixel."""


class ImageTooLargeError(ImageError):
    """The image has more than MAX_PIXELS pixels."""


def identify(head: bytes) -> str | None:
    """Return the format of an image from its first HEAD_BYTES bytes; None if it is none that is understood."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#" and len(head) > 2:
        return "PPM"
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        if any(brands[at : at + 4] in (b"avif", b"avis") for at in range(0, len(brands), 4)):
            return "AVIF"
    return None


def open_image(source: bytes | Path) -> Image.Image:
    """Read an image's header. Raises UnknownFormatError, ImageTooLargeError or ImageError.

    source: the bytes, or a file.
    """
    head = source[:HEAD_BYTES] if isinstance(source, bytes) else _head(source)
    kind = identify(head)
    if kind is None:
        what = foreign(head)
        raise UnknownFormatError(f"it is {what}, not one of {NAMES}")
    if kind == "AVIF" and not features.check("avif"):
        raise ImageError("this installation of Pillow cannot decode AVIF; send the image as PNG or JPEG")
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=(kind,))
    except Exception as error:  # Pillow raises many types, KeyError for a format that it was built without
        raise _decoding_error(kind, error) from error
    _check_pixels(image)
    return image


def decode_image(data: bytes, mode: str = "", size: tuple[int, int] = (0, 0)) -> Image.Image:
    """Return an image as "L", if its colors are shades of gray, or "RGB", without metadata.

    mode: "L" or "RGB", if that is all that is needed. The result may still have the other mode.
    size: smallest size that is needed, in pixels. A JPEG is then decoded at a reduced scale, which is faster.

    Raises UnknownFormatError, ImageTooLargeError or ImageError.
    """
    image = open_image(data)
    try:
        if mode:
            image.draft(mode, size)
        samples = str(image.tile[0][3]) if image.format == "PNG" and image.tile else ""  # type: ignore[attr-defined]
        image.load()
        _check_pixels(image)  # the first frame of a GIF may be larger than its header says
        return _upright(_flat(image, samples), image)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise _decoding_error(image.format, error) from error


def is_gray(source: bytes | Path) -> bool:
    """Return whether `decode_image` gives "L". Reads the header, and for a palette the whole image. Raises as `decode_image`."""
    image = open_image(source)
    try:
        with image:
            return _is_gray(image)
    except Exception as error:  # as in `decode_image`
        raise _decoding_error(image.format, error) from error


def to_png(image: Image.Image) -> bytes:
    """Return a decoded image as PNG, which decodes to the same pixels."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def foreign(head: bytes) -> str:
    """Return what a file that is no understood image seems to be, for a message."""
    known = (*_OTHER_IMAGES, *_NO_IMAGES)
    return next((name for name, matches in known if matches(head)), "an unknown format")


def is_other_image(head: bytes) -> bool:
    """Return whether a file seems to be an image of a format that is not understood."""
    return any(matches(head) for _, matches in _OTHER_IMAGES)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _decoding_error(kind: str | None, error: Exception) -> ImageError:
    if "truncated" in str(error).lower():
        return TruncatedError(f"the {kind} image is truncated")
    # Pillow's message for a header that it does not understand has the address of the buffer.
    reason = "its header is damaged" if isinstance(error, UnidentifiedImageError) else str(error)
    return ImageError(f"the {kind} image cannot be decoded: {reason}")


def _check_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(
            f"the image has {width} x {height} pixels; at most {MAX_PIXELS:,} are allowed"
        )


def _is_gray(image: Image.Image) -> bool:
    if image.mode == "P":
        colors = image.getpalette() or []
        return colors[::3] == colors[1::3] == colors[2::3]
    return image.mode in _GRAY


def _flat(image: Image.Image, samples: str) -> Image.Image:
    """Return a loaded image as opaque "L" or "RGB" with 8 bits, without metadata. samples: rawmode of a PNG."""
    mode = "L" if _is_gray(image) else "RGB"
    if image.format == "TIFF" and image.tag_v2.get(_SUBFILE_TYPE) == _REDUCED:  # type: ignore[attr-defined]
        raise UnknownFormatError(
            "its first page is a preview, as in camera raw files; convert it to TIFF or JPEG"
        )
    if image.mode not in (*_GRAY, *_COLOR) or (image.mode == "I" and image.format == "TIFF"):
        raise ImageError(
            f"its pixels are of mode {image.mode}, which has no known range of 8 or 16 bits; convert it to gray or RGB"
        )
    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        flat = _upper_byte(image, key)
    elif key is not None and image.mode in ("1", "L", "RGB"):
        flat = _without_color(image.convert(mode), key, samples)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(rgba, mask=rgba)
    else:
        flat = image
    flat = flat.copy() if flat.mode == mode else flat.convert(mode)
    flat.info = {}
    return flat


def _upper_byte(image: Image.Image, key: int | None) -> Image.Image:
    """Return the upper 8 of 16 bits, with the pixels of value `key`, which are transparent, in white."""
    if image.mode == "I":  # 32 bits that hold 16, as Pillow reads them from PGM
        return image.point(lambda value: value * (1 / 256)).convert("L")
    pixels = image.convert("I;16").tobytes()
    upper, lower = (Image.frombytes("L", image.size, pixels[start::2]) for start in (1, 0))
    if key is not None:
        upper.paste("white", mask=_equal([upper, lower], [key >> 8, key & 255]))
    return upper


def _without_color(image: Image.Image, key: int | tuple[int, ...], samples: str) -> Image.Image:
    """Return an image with the pixels of one color, which are transparent, in white."""
    wanted = [key] if isinstance(key, int) else list(key)
    if samples.endswith("16B"):
        wanted = [value >> 8 for value in wanted]
    elif samples in _SAMPLE_BITS:
        wanted = [value * 255 // (2 ** _SAMPLE_BITS[samples] - 1) for value in wanted]
    image.paste("white", mask=_equal(list(image.split()), wanted))
    return image


def _equal(bands: list[Image.Image], values: list[int]) -> Image.Image:
    """Return a mask of the pixels whose bands have these values."""
    mask = Image.new("L", bands[0].size, 255)
    for band, value in zip(bands, values, strict=True):
        different = band.point([0 if level == value else 255 for level in range(256)])
        mask.paste(0, mask=different)
    return mask


def _upright(flat: Image.Image, image: Image.Image) -> Image.Image:
    """Return an image rotated as the EXIF data of `image` says. Damaged EXIF data means no rotation."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # Pillow raises many types; TIFF is upright once it is loaded
        orientation = None
    # A rational or a text is no orientation, even if it is equal to one.
    method = _TRANSPOSE.get(orientation) if type(orientation) is int else None
    return flat if method is None else flat.transpose(method)
