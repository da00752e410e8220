"""An image from a URL, base64 text or S3, with its media type, under the rules of what may be read."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from contract import (
    BadRequest,
    ImageTooLarge,
    Request,
    SourceForbidden,
    SourceNotFound,
    Throttled,
    UnsupportedImage,
)
from https_fetch import Fetcher

_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}


@dataclass(frozen=True)
class ImageSource:
    """Reads images of at most max_bytes. bucket: the only one read, none if empty; prefix: its keys begin so."""

    max_bytes: int
    fetcher: Fetcher
    s3: Any = None
    bucket: str = ""
    prefix: str = ""

    def read(self, request: Request) -> tuple[bytes, str]:
        """The image's bytes and media type. Raises the FunctionErrors of the source, and UnsupportedImage."""
        if request.source == "url":
            data, declared = self.fetcher.get(request.value, self.max_bytes)
            found = media_type(data)
            if _ALIASES.get(declared, declared) != found:
                raise UnsupportedImage(
                    "the URL's content type is not that of a JPEG, PNG or WebP picture in it"
                )
            return data, found
        data = self._base64(request.value) if request.source == "image" else self._s3(request.value)
        return data, media_type(data)

    def _base64(self, text: str) -> bytes:
        # Before decoding: 4 characters are 3 bytes, less up to 2 of padding.
        if len(text) // 4 * 3 - 2 > self.max_bytes:
            raise self._too_large()
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("image is not base64") from error
        if len(data) > self.max_bytes:
            raise self._too_large()
        return data

    def _s3(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key:
            raise BadRequest("s3 must be s3://bucket/key")
        if not self.bucket or bucket != self.bucket or not key.startswith(self.prefix):
            raise SourceForbidden("images are not read from this place in S3")
        if {".", ".."} & set(key.split("/")):
            raise BadRequest("s3 key must not have . or .. as a part")  # a client on the way may resolve them
        try:
            answer = self.s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("NoSuchKey", "404"):
                raise SourceNotFound("there is no such object in S3") from error
            if code in ("AccessDenied", "403", "InvalidObjectState"):
                raise SourceForbidden("this object in S3 cannot be read") from error
            if code in ("SlowDown", "ThrottlingException"):
                raise Throttled("S3 has too many requests; try again") from error
            raise
        with answer["Body"] as body:
            if answer["ContentLength"] > self.max_bytes:
                raise self._too_large()
            return body.read()

    def _too_large(self) -> ImageTooLarge:
        return ImageTooLarge(f"the image is over {self.max_bytes:,} bytes")


def media_type(data: bytes) -> str:
    """image/jpeg, image/png or image/webp, by the first bytes. Raises UnsupportedImage."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise UnsupportedImage("the image is not a JPEG, PNG or WebP picture")
